"""The systems under test, on servers of their own, and the clients that load them."""
