"""`make bench-console`: how long the pages of the console take in a large decision log."""
