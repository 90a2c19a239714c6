"""Event types: the schema of what a tenant sends, and the validation of one event."""
