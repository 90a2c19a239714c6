"""What a contract walk sends, and what it expects."""
