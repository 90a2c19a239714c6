"""Champion and challenger on the same labelled transactions, and promotion."""
