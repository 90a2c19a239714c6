"""pytest plugins of the whole suite."""
