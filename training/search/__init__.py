"""Search for parameters of the booster."""
