"""Prometheus and an observed service for tests."""
