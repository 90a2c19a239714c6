"""Pages of the model versions."""
