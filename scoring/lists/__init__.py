"""Lists: named sets of entities that are blocked, trusted, or read by rules."""
