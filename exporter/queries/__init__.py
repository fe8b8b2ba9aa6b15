"""What a caller may ask without changing anything, while waiting for the answer.

reading   read segments while a caller waits
fit       whether an export fits a segment
preview   what a run would do
columns   what the columns of a segment hold
lookup    what happened to a person in a run
everywhere  where a person stands, over all exports
few       what became of the few people whom a run was for
"""
