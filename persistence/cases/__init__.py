"""Cases: what analysts investigate together, and what changes one."""
