"""Leaves and trees of the sealed log (docs/decisions/0025-sealed-log.md)."""
