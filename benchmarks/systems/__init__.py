"""The systems that are compared, each a server of its own."""
