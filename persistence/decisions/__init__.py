"""The decision log: one INSERT statement a batch, and reading decisions back."""
