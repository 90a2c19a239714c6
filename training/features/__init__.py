"""Feature sets of a training: suggested for an event type, or read from a file."""
