"""The stack of one machine: Postgres, MLflow and their processes."""
