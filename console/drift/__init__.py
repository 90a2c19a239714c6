"""The page of drift and performance."""
