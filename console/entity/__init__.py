"""The pages of an entity."""
