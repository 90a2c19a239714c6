"""The demo on a machine of its own, and another user of that machine."""
