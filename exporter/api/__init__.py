"""The HTTP interface: routes, who may do what, and answers."""
