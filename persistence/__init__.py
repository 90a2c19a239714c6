"""Postgres: tables, migrations, and every transaction that Sentinel commits."""
