"""One libpq round trip for several statements, blocking or on an event loop."""
