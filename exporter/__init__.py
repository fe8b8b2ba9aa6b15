"""Customer segments from blob storage onto an ActiveCampaign list, every row accounted for.

The rooms, from the door down; each imports only from those below it, and its docstring lists its modules:

api              HTTP: operations, roles, answers
adapters         Azure and ActiveCampaign for real; the only room that imports an SDK or a network library
queries          what a caller asks without changing anything: preview, lookup
pipeline         the steps of a run in order of time: start, plan, upload, confirm, finish, sweep
records          what is kept: every path, and every read and change of it
runs             the run record and its statuses                                                        (pure)
tally            what became of each row: fates, count, reject report                                   (pure)
memory           who is remembered with which values, so who is sent: hashes, decisions, merging          (pure)
delivery         contacts become requests, requests have outcomes: batches, manifest, ledger            (pure)
contacts         rows become contacts: data matching, addresses, rules, distinct                        (pure)
source           files where segments land become rows
activecampaign   what is asked of ActiveCampaign, what answers mean, when the next request may go       (pure)
definitions      what people define: connections, exports                                               (pure)

Beside them: triggers (what the functions call) and bootstrap (settings and adapters become services) above; queues,
services, ports, settings, model, reasons, warned, log, errors and sentences below.
"""

__version__ = "0.1.0"
