"""What a service answers while more clients ask than it can serve."""
