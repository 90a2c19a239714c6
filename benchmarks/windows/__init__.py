"""Compare layouts of an entity's history in Postgres (docs/decisions/0014-windows.md)."""
