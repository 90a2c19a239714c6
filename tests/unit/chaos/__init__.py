"""The schedule and the checker of the chaos runs."""
