"""Log, traces and metrics."""
