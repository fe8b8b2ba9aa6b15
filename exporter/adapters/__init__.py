"""The real implementations of the ports. The only room that imports an SDK or a network library.

blobs            the app's own blobs (Azure Storage)
segment_files    the container where segments land (Azure Storage)
storage_errors   the errors that both raise
storage_clock    the time of the storage service
identity         what is raised when the platform gives no token
queues           the app's own queues (Azure Storage)
vault            API keys (Azure Key Vault)
activecampaign   HTTPS to ActiveCampaign
own_address      HTTPS to the app itself, from outside
system           the machine's time and randomness
"""
