"""What an export remembers of people: who was confirmed with which values, so that a run leaves out who is unchanged.

lack      why there is no memory to go by
cmac      AES-CMAC of whole columns of text
hashes    addresses as hashes: sorted, found
keys      keys for hashes, derived from one secret by purpose and generation
people    the columns of a memory, and what their values mean
blob      a memory as bytes: written, read, checked
decide    who is sent, and who is not, and why
merge     what is remembered after a run, and after its late imports
"""
