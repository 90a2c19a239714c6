"""Our own code beside the libraries that could replace it: docs/decisions/0011-libraries.md."""
