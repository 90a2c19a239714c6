"""Pages of uploads: files of events that are scored."""
