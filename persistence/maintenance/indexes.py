"""Build the indexes that a migration created on a partitioned table alone.

CREATE INDEX on a partitioned table holds up every payment until all partitions are read. So a
migration creates the index on the parent alone, where it is not valid, and each new month has it
from the start. Here the other partitions get theirs CONCURRENTLY; with the last one the parent's
index is valid, and the index that it replaces is dropped.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

from typing import cast

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy import Connection, text

from persistence.raw_connection import PostgresConnection
from persistence.tenancy import every_tenants_transaction

REPLACED = {"ix_predictions_decision": "ix_predictions_worklist"}
"""Index that each new one makes superfluous; processes of the release before use either."""

_UNFINISHED = text(
    """
    SELECT indexrelid::regclass::text, indrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relkind = 'I' AND NOT relispartition AND NOT indisvalid
    ORDER BY 1
    """
)
_PARTITIONS = text(
    """
    SELECT p.inhrelid::regclass::text FROM pg_inherits p
    WHERE p.inhparent = CAST(:table AS regclass) AND NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid
        WHERE i.indrelid = p.inhrelid AND h.inhparent = CAST(:index AS regclass))
    ORDER BY 1
    """
)
_IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def build_indexes(connection: Connection) -> list[str]:
    """Build what is missing of the indexes of partitioned tables, and return their names.

    An index that a run before left unfinished is built again. Blocks neither reads nor writes.

    Args:
        connection: connection of the tables' owner, outside of a transaction.
    """
    with every_tenants_transaction(connection):
        unfinished = list(connection.execute(_UNFINISHED).tuples())
    for index, table, definition in unfinished:
        with every_tenants_transaction(connection):
            named = {"index": index, "table": table}
            partitions = list(connection.execute(_PARTITIONS, named).scalars())
        for partition in partitions:
            _build(connection, index, partition, definition.partition(" USING ")[2])
        if index in REPLACED:
            with every_tenants_transaction(connection):
                connection.execute(text(f"DROP INDEX IF EXISTS {REPLACED[index]}"))
    return [index for index, *_ in unfinished]


def _build(connection: Connection, index: str, partition: str, using: str) -> None:
    name = f"{partition}_{index.removeprefix('ix_predictions_')}_idx"
    with every_tenants_transaction(connection):
        is_valid = connection.execute(_IS_VALID, {"name": name}).scalar_one_or_none()
    if is_valid is False:
        _outside_of_transactions(connection, f"DROP INDEX CONCURRENTLY {name}")
    if not is_valid:
        statement = f"CREATE INDEX CONCURRENTLY {name} ON {partition} USING {using}"
        _outside_of_transactions(connection, statement)
    with every_tenants_transaction(connection):
        connection.execute(text(f"ALTER INDEX {index} ATTACH PARTITION {name}"))


def _outside_of_transactions(connection: Connection, statement: str) -> None:
    """Run a statement that no transaction may contain.

    Sent on libpq's connection: psycopg's autocommit mode is not to be had behind a pooler, where a
    single statement needs no setting.
    """
    driver = cast("PostgresConnection", connection.connection.driver_connection)
    result = driver.pgconn.exec_(statement.encode())
    if result.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.lookup(
            (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"XX000").decode()
        )(result.error_message.decode())
