"""Infer an event type from a file, and read a file by its event type."""
