"""Fit the booster, calibrate it, choose the threshold, evaluate the model."""
