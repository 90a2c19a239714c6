"""Directory on PYTHONPATH of the MLflow server: Python imports `sitecustomize` as it starts."""
