"""What a caller asks without changing anything, while an answer is waited for.

reading   read segments for somebody who waits
preview   what a run would do
lookup    what became of a person in a run
"""
