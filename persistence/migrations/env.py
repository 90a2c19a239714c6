"""Alembic's environment: one engine handed in, lock and statement time-outs set."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from persistence.tables import Base

# A migration that cannot get its lock gives up instead of queueing every reader behind it.
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "15min"

with context.config.attributes["engine"].connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, transaction_per_migration=True
    )
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.commit()
    with context.begin_transaction():
        context.run_migrations()
