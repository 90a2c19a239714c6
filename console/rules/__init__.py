"""Rules: what each does, what a change would have done in money, and the switch."""
