"""Contacts become requests, and requests have outcomes.

batches    contacts are cut into requests
plan       what planning found, in numbers
manifest   what a run sends, batch by batch
events     the events of a ledger
ledger     what happened to each batch, folded from the events
traffic    what went to ActiveCampaign, and when
steps      what a worker does next
waits      how long blocked work waits
"""
