"""Labels: what events turned out to be."""
