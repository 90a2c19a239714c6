"""Record runs and register models in MLflow."""
