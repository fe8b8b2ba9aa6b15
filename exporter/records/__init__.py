"""What is stored: where it is, and how to read and change it without loss.

paths         where everything is
store         read and change any record, by compare and swap
definitions   connections
runs          run records and manifests
recent        the runs of all exports, the newest first
remembered    records that a process reads again and again
slots         an export's newest run, and what the next one compares with
watches       what the schedule saw of an export's segments
lanes         a run's ledgers
closed        who can get no mail of a list
looks         what an ActiveCampaign account was seen to hold
few           whom a run for a few people is for
payload       a run's working copy and reject report
audit         who requested what
"""
