"""Manifests, containers and operated systems for tests."""
