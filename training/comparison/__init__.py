"""Compare champion and challenger on the same labelled transactions, and promote."""
