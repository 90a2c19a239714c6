"""Foreign keys to the partitioned tables, set aside while partitions change.

To detach a partition Postgres joins every table that refers to its parent with it, to see that no
row is left behind; to move rows between partitions it wants each reference gone first. Both happen
under a lock that stops scoring, and the first takes as long as the whole history is large (3.2 s a
month at ten million decisions, docs/decisions/0003-migrations.md). So the keys are dropped and made
anew, NOT VALID, inside the same short transaction: nobody can write a row that they do not check.
They are validated afterwards, under a lock that reads and writes pass.

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
    SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE contype = 'f' AND conparentid = 0 AND NOT convalidated
    ORDER BY 1, 2
    """
)


@contextmanager
def references_set_aside(connection: Connection) -> Iterator[None]:
    """Lock the partitioned tables and those that refer to them; inside, nothing refers.

    The keys are back, not validated, when the block ends well; a rollback restores them as well.
    """
    keys = connection.execute(_KEYS, {"tables": list(PARTITIONED)}).all()
    referring = sorted({key.table_name for key in keys} - set(PARTITIONED))
    # In the order in which the batch writer takes them, so that neither waits for the other; the
    # partitioned ones are listed as they are dropped, which is the other way round.
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
    """Return table and name of the keys that are yet to be validated; migrations leave some too."""
    return [(table, name) for table, name in connection.execute(_UNVALIDATED)]


def validate(connection: Connection, table: str, name: str) -> None:
    """Check a foreign key's rows; blocks neither readers nor writers."""
    connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))
