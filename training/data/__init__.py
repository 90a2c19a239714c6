"""Load, simulate and split labelled transactions."""
