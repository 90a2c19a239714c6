"""Score, store and answer adaptive batches."""
