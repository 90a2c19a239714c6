"""Prepare each process of an MLflow server that is installed in a path with `%`."""

from registry.client.mlflow_migrations import escape_script_location

escape_script_location()
