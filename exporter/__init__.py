"""Customer segments from blob storage onto an ActiveCampaign list, every row accounted for.

The modules in the order in which a row meets them:

settings, errors       what the service is told, and how it says what went wrong
connections, exports   the resources that a marketer defines
segments               find the newest complete refresh of a segment and read its rows
contacts               a row becomes a contact or a reject; one contact an address
batches                contacts become requests of at most 250 contacts and 399,999 bytes, and a manifest
pacing                 when the next request may go: the rate budget of an ActiveCampaign account
ledger                 what happened to each batch, in order; folded into its state
runs                   the run record, its statuses and the accounting
activecampaign         requests and answers as values (wire), and HTTPS (client)
storage, secrets       Azure: blobs, queues, Key Vault
ports                  what the steps need from outside
pipeline               the steps in order of time: start, plan, upload, finish, sweep
api                    the HTTP interface
bootstrap              settings and real adapters become services
"""

__version__ = "0.1.0"
