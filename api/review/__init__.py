"""The worklist, transactions, feedback and the audit log."""
