"""Labels of stored decisions, as analysts gave them."""
