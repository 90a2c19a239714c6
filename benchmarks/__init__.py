"""Measurements of the running system; each is a command, never a timed test."""
