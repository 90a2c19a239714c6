"""Recalibrate a registered version on newer labels."""
