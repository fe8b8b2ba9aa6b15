"""A row becomes a contact, or the reason why not.

matching     the data matching: which columns fill which members of a contact
suggestion   which columns look like them
addresses    which e-mail addresses ActiveCampaign would refuse
rules        the rules, for one row
blocks       the same for whole blocks of rows, with Arrow
distinct     one contact per address, over a million of them in little memory
"""
