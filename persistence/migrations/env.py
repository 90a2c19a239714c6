"""Run migrations on the engine of Alembic's configuration, with lock and statement time-outs."""

from __future__ import annotations

import re

from alembic import context
from sqlalchemy import Connection, event, text

from persistence.maintenance.partitions import PARTITIONED
from persistence.tables import Base

# A migration that cannot get its lock fails, since every reader would queue behind it.
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "15min"


def _include(
    _item: object, name: str | None, kind: str, _reflected: bool, _compared: object
) -> bool:
    """Return whether to compare an item: not partitions, nor foreign keys copied to them."""
    if kind == "table":
        return not (name or "").startswith(tuple(f"{table}_" for table in PARTITIONED))
    # Postgres repeats a foreign key to a partitioned table for each partition, with a number as
    # suffix.
    return not (kind == "foreign_key_constraint" and re.search(r"_\d+$", name or ""))


def _limit(connection: Connection) -> None:
    """Put the time-outs in force until the end of the transaction that has begun.

    Those of a session would reach other clients behind a pooler.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))


with context.config.attributes["engine"].connect() as connection:
    event.listen(connection, "begin", _limit)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        include_object=_include,
    )
    with context.begin_transaction():
        context.run_migrations()
