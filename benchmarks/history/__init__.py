"""Measure what windows add to a decision."""
