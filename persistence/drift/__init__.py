"""What the drift monitor counts and stores."""
