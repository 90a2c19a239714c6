"""Windows: aggregates over an entity's past events."""
