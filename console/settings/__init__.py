"""A person's own settings, and for administrators the tenant's people and keys."""
