"""What is kept: where it is, and how it is read and changed without loss.

paths     where everything is
store     records: read, changed by compare and swap
slots     an export's newest run, and what the next one compares with
lanes     the ledgers of a run
payload   the working copy of a run
audit     who asked for what
"""
