"""Lists of entities to block, to trust, or for rules to read, and their entries."""
