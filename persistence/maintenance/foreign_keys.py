"""Drop and restore the foreign keys to the partitioned tables while partitions change.

To detach a partition, Postgres joins it with every table that refers to its parent, to check that
no row still refers to it; rows that are referred to cannot move between partitions at all. Both
hold a lock that stops scoring, and the check's time grows with the whole history (3.2 s a month at
ten million decisions, docs/decisions/0003-migrations.md). So one short transaction drops the keys
and adds them again as NOT VALID; they check every row that is written after it. They are validated
later, under a lock that allows reads and writes.

A NOT VALID foreign key of a partitioned table needs Postgres 18:
https://www.postgresql.org/docs/18/sql-altertable.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from persistence.maintenance.partitions import PARTITIONED

_KEYS = text(
    """
    SELECT conrelid::regclass::text AS table_name, conname AS name,
        replace(pg_get_constraintdef(oid), ' NOT VALID', '') AS definition
    FROM pg_constraint
    WHERE contype = 'f' AND conparentid = 0 AND confrelid::regclass::text = ANY (:tables)
    ORDER BY 1, 2
    """
)
_UNVALIDATED = text(
    """
    SELECT conrelid::regclass::text, conname
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE conparentid = 0 AND NOT relispartition AND NOT convalidated
    ORDER BY 1, 2
    """
)


@contextmanager
def foreign_keys_dropped(connection: Connection) -> Iterator[None]:
    """Lock the partitioned tables and those that refer to them; drop the foreign keys meanwhile.

    When the block ends the keys are added again, not validated; a rollback restores them too.
    """
    keys = connection.execute(_KEYS, {"tables": list(PARTITIONED)}).all()
    referring = sorted({key.table_name for key in keys} - set(PARTITIONED))
    # In the order in which the batch writer locks them, so that no deadlock arises. PARTITIONED has
    # the order in which tables are dropped, which is the reverse.
    tables = ", ".join([*referring, *reversed(PARTITIONED)])
    connection.execute(text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
    for key in keys:
        connection.execute(text(f"ALTER TABLE {key.table_name} DROP CONSTRAINT {key.name}"))
    yield
    for key in keys:
        connection.execute(
            text(
                f"ALTER TABLE {key.table_name} ADD CONSTRAINT {key.name} {key.definition} NOT VALID"
            )
        )


def unvalidated(connection: Connection) -> list[tuple[str, str]]:
    """Return table and name of the constraints that are not validated; migrations leave some."""
    return [(table, name) for table, name in connection.execute(_UNVALIDATED)]


def validate(connection: Connection, table: str, name: str) -> None:
    """Validate a constraint on the existing rows; blocks neither reads nor writes."""
    connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))
