"""The HTTP connections of a worker: what is refused, what is too slow, and how they end."""
