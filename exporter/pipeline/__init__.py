"""The steps of a run in order of time, and what they share.

start        a run takes the slot of its export
cancel       somebody asks it to stop
plan         everything is checked and read, and the manifest is written
  claim        one planner at a time
  preflight    key, list and fields are looked at
  batching     every row becomes a contact in a batch, or a reject
  brakes       what holds a run before anything is sent
  resume       what is left of the run that this one resumes
  dispatch     the lanes are opened
upload       the batches of a lane are sent
confirm      imports are asked for
finish       the run ends: tally, reject report, report
sweep        every minute: what stopped goes on, what is past its time is deleted
session      calls to an ActiveCampaign account, each at its turn

Each step gathers what it needs, lets pure rules decide, and applies the decision. A step may be called at any time, any
number of times, by several workers at once: the records say what is left to do.
"""
