"""A payment from request to reply."""
