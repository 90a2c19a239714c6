"""`make demo`: train, promote, serve and score on this machine."""
