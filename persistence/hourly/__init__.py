"""Figures of a tenant's decisions by hour: kept, so that a page does not count them each time."""
