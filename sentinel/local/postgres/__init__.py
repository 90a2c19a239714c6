"""The embedded Postgres and the account that it runs as."""
