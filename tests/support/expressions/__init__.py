"""What the tests of expressions share: events, a naive interpreter, random expressions."""
