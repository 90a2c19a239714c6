"""Lists: named sets of entities, and their entries."""
