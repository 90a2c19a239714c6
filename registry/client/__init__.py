"""Registry clients: read aliases, versions and files from MLflow's REST API or its database."""
