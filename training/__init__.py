"""Train, evaluate, compare and promote model versions."""
