"""Adaptive batches: gathered, scored, stored, answered."""
