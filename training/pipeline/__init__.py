"""Fit, calibrate, choose the threshold, evaluate."""
