"""One transaction: its decision, why, its history, and what an analyst does with it."""
