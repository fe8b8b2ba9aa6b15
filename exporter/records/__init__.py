"""What is kept: where it is, and how it is read and changed without loss.

paths         where everything is
store         any record: read, changed by compare and swap
definitions   connections
runs          run records and manifests
slots         an export's newest run, and what the next one compares with
lanes         the ledgers of a run
payload       the working copy of a run, and its reject report
audit         who asked for what
"""
