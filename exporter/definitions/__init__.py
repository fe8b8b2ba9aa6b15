"""What people define.

connections   an ActiveCampaign account, who may use it, and the consent to send people there
exports       which segments go to which list, and how columns become contact fields
schedules     when an export runs by itself
resources     what both have in common: an id, a name, a history, a pause
"""
