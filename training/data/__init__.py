"""Labelled transactions: loaded, simulated, split."""
