"""Uploads: stored files of events, their rows' decisions in chunks, and who works on which."""
