"""MLflow for tests: a gateway, a model store that follows it, broken versions."""
