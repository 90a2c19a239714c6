"""The stacks that are compared, each a server of its own."""
