"""Chromium and MLflow's pages for tests."""
