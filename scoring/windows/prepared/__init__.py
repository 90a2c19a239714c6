"""Windows of an entity with very many past events, from structures that are made once of them."""
