"""What became of each row.

fates     the fate of each contact, folded from the ledgers
findings  who is looked up after the end, and what was found
count     how many rows are in which bucket
rejects   the reject report: which rows, and why
unfit     the list of values that do not fit their fields, and why
"""
