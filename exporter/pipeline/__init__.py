"""The steps of a run in chronological order, and what they share.

schedule     every few minutes: start what is due, by time or by refresh
start        a run takes its export's slot
cancel       someone asks the run to stop
plan         check and read everything, then write the manifest
  claim        one planner at a time
  preflight    check key, list and custom fields
  sources      which data the run reads, and the identity of what it sends
  batching     every row becomes a contact in a batch, or a reject
  resume       what is left of the run that this one resumes
  brakes       what stops a run before anything is sent
  dispatch     open the lanes
upload       send a lane's batches
confirm      ask for the outcomes of imports
  closed       who can get no mail of a list, where an import left out somebody
finish       end the run: tally, reject report, report
sweep        every minute: restart what has stopped, delete what has expired
  lookups      look people up after the end: a sample of the confirmed, and why others were not taken
session      calls to an ActiveCampaign account, each in its turn
destination  whether key, list and fields are there, seen once for all runs of an account
questions    what is asked of an account: limits, lists, fields, exclusions, people

Each step gathers what it needs, lets pure rules decide, and applies the decision. A step may be called at any time, any
number of times, by several workers at once: the records say what is left to do.
"""
