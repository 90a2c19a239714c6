"""The command palette: pages by name, transactions and entities by id."""
