"""Customer segments from blob storage onto an ActiveCampaign list, every row accounted for.

The modules in the order in which a row meets them:

settings, errors       what the service is told, and how it says what went wrong
connections, exports   the resources that a marketer defines
segments               find the newest complete refresh of a segment
readers, formats       rows out of CSV, CSV.gz and Parquet, block by block; `reasons` says why a row is none
contacts               a row becomes a contact, or the reason why not; `contact_blocks` does so for whole blocks
distinct               one contact an address, over a million of them in little memory
batches                contacts become requests of at most 250 contacts and 399,999 bytes; `rejects` lists the others
pacing                 when the next request may go: the rate budget of an ActiveCampaign account
ledger                 what happened to each batch, in order; folded into its state
fates                  what became of each contact: for the count, the reject report and the lookup
runs                   the run record, its statuses and the accounting
activecampaign         requests and answers as values (wire, answers, refusals), and HTTPS (client)
ports                  what the steps need from outside
pipeline               the steps in order of time: start, plan, upload, confirm, finish, sweep
storage, secrets       Azure: blobs, queues, Key Vault
records, store, audit  how records are kept, changed without loss, and who asked for what
api                    the HTTP interface
bootstrap, triggers    settings and real adapters become services; what the triggers call
"""

__version__ = "0.1.0"
