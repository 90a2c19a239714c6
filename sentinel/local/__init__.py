"""The local stack: Postgres, MLflow and their processes on one machine."""
