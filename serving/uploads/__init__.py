"""The background work of uploads: their rows are decided as those of a /score/batch are."""
