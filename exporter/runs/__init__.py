"""A run: the facts that are recorded of it, and what follows from them.

run        the record, and the statuses that it goes through
progress   how far a run is
report     what is told of a run that is over
"""
