"""Verdicts that people give on one transaction or on several."""
