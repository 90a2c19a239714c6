"""Compare our own code with libraries that could replace it: docs/decisions/0011-libraries.md."""
