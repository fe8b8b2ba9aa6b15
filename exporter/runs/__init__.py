"""A run: the facts that are recorded about it, and what follows from them.

run        the record, and the statuses that it goes through
progress   how far a run has come
report     the report of a run that is over
"""
