"""Check a version's files before they are loaded."""
