"""What the tests of expressions share: events, values, errors, phrases, naive and random ones."""
