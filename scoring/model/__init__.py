"""A fraud model: booster, calibrator, policy and golden rows."""
