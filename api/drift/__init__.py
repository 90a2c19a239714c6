"""GET /drift."""
