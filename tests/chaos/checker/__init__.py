"""What is wrong in a history and the tables after it; it reads nothing else and starts nothing."""
