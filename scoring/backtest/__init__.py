"""Backtests: what rules, lists, thresholds or a version would have done with stored decisions."""
