"""Access to MLflow: log and register versions, resolve aliases, download and verify models."""
