"""The scoring routes, from request to reply."""
