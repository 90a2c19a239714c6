"""The embedded Postgres and the account it runs as."""
