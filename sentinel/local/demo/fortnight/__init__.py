"""The fortnight of payments, labels and work with which the demo fills the console."""
