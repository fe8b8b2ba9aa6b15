"""Azure Storage: the only place that imports `azure.storage`."""
