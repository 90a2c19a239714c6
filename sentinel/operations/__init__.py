"""What an operator runs: replay of a decision, the drift monitor."""
