"""Several statements in one libpq round trip, blocking or on an event loop."""
