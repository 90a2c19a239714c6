"""Postgres for tests: servers, a proxy, query plans, row-level security."""
