"""Checking: from the text of an expression to nodes that fit the event type."""
