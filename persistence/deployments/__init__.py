"""The model versions that serve a tenant, that have served it, and that were refused."""
