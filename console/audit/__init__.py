"""The audit log as sentences."""
