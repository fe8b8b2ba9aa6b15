"""The whole world of the export service on one machine: nothing in here is ever deployed.

`python -m sandbox up` starts Azurite, stand-ins for Key Vault, managed identity and ActiveCampaign, a loopback proxy
that maps their production names to this machine, and a local Functions host around Microsoft's Python worker library.
With `--sign-in entra`, a stand-in for App Service authentication is before that host, in which anybody can be one of a
few people.
"""
