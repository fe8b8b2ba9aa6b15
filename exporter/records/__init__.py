"""What is stored: where it is, and how to read and change it without loss.

paths         where everything is
store         read and change any record, by compare and swap
definitions   connections
runs          run records and manifests
slots         an export's newest run, and what the next one compares with
lanes         a run's ledgers
payload       a run's working copy and reject report
audit         who requested what
"""
