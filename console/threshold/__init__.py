"""Page of the thresholds."""
