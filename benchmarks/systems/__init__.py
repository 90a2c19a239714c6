"""The systems that are compared; each is a server."""
