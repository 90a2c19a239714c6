"""Rules: conditions with an action, their versions and their snoozes."""
