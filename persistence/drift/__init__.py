"""Drift checks: counting predictions into bins, and the stored results."""
