"""The routes of a tenant's event type."""
