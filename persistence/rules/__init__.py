"""Rules, snoozes, lists and entries: numbered changes, and what is in force after each."""
