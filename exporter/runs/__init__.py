"""A run: the facts that are recorded about it, and what follows from them.

run         the record, and the statuses that it goes through
membership  whether two definitions mean the same people
progress    how far a run has come
due         whether the schedule starts an export now, and if not, why
evidence    whether a look after the end contradicts it
report      the report of a run that is over
"""
