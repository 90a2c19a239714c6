"""MLflow in and out: log and register, resolve an alias, download, verify, swap."""
