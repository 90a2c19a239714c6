"""What analysts read and write: cases, the worklist, search, the audit log."""
