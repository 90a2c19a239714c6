"""The journal's files, without a database."""
