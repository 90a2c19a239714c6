"""The worklist: what waits for an analyst."""
