"""Faults against real processes while clients pay, and a checker of what they were answered."""
