"""Event types: the fields that a tenant sends, their kinds and their roles."""
