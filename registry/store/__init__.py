"""Model versions on disk and in memory, each verified before it serves."""
