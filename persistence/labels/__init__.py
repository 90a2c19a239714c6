"""Labels of events: stored, read, and joined with the decisions that they judge."""
