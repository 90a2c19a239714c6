"""Commands that measure the running system; no test depends on a time."""
