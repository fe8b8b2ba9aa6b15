"""The API of ActiveCampaign as values: requests, what answers mean, when the next request may go.

wire        requests and replies
bodies      the body of a bulk import
hosts       which hosts may be called
outcomes    what an answer means, and what to do next
answers     any answer: its JSON, its errors, how long it asks to wait
imports     answers about bulk imports
account     answers about the account: user, lists, fields, limits, exclusions
people      answers about single people: where they stand on a list, their values
refusals    the search for the contacts that cause a refusal
pacing      the rate budget of an account
"""
