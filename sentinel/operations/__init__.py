"""The operator's jobs: replay of a decision, the drift monitor."""
