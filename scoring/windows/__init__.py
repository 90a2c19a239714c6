"""Windows: aggregates over an entity's earlier events."""
