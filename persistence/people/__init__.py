"""People who use the console: accounts, passwords, sessions and one-time links."""
