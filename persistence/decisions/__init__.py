"""The decision log: one statement a batch, and rows read back as they were stored."""
