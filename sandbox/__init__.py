"""The whole world of the export service on one machine: nothing in here is ever deployed.

`python -m sandbox up` starts Azurite, stand-ins for Key Vault, managed identity and ActiveCampaign, a loopback proxy
that maps their production names to this machine, and a local Functions host around Microsoft's Python worker library.
"""
