"""Publish to MLflow: runs, artifacts, registered versions, promotions."""
