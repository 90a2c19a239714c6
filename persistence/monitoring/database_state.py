"""The state of the database server and of what is scheduled on it.

The service's role may read all of it: no statement needs `pg_monitor`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from persistence.engine import transaction
from persistence.maintenance.partitions import PARTITIONED, Month, months_of_table
from persistence.monitoring.job_runs import job_runs
from persistence.monitoring.tenant_activity import TenantActivity, tenant_activity
from persistence.tenancy import see_all_tenants

MOST_ROWS = 1000
"""Largest number of rows in a default partition that is counted."""

# A name in the archive may have a suffix (.backup), or be a history file, which has no segment.
_SERVER = text(
    """
    SELECT pg_database_size(current_database()) AS size_bytes,
        (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
        current_setting('max_connections')::int AS max_connections
    """
)
_ARCHIVER = text(
    """
    SELECT last_archived_time AS archived_at, last_failed_time AS failed_at,
        CASE WHEN last_archived_wal ~ '^[0-9A-F]{24}' THEN
            ((pg_split_walfile_name(pg_walfile_name(pg_current_wal_lsn()))).segment_number
            - (pg_split_walfile_name(left(last_archived_wal, 24))).segment_number - 1)::int
        END AS segments_waiting
    FROM pg_stat_archiver
    WHERE current_setting('archive_mode') <> 'off' AND NOT pg_is_in_recovery()
    """
)
_SLOTS = text(
    """
    SELECT slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint
    FROM pg_replication_slots
    WHERE restart_lsn IS NOT NULL AND NOT pg_is_in_recovery()
    """
)


@dataclass(frozen=True, slots=True)
class Archiver:
    """Postgres's archiving of its write-ahead log.

    Attributes:
        archived_at: time of the last success; None where there was none.
        failed_at: time of the last failure; None where there was none.
        segments_waiting: complete segments that are not archived; None where the last archived
            file is no segment.
    """

    archived_at: datetime | None
    failed_at: datetime | None
    segments_waiting: int | None


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What the metrics report of a database.

    Attributes:
        tenants: latest activity of every tenant that is not in test mode.
        job_runs: time of the last success by job.
        default_rows: number of rows in the default partition by table, at most MOST_ROWS.
        size_bytes: size of the database on disk.
        connections: connections to the server, over all its databases.
        max_connections: limit of the server.
        archiver: state of the archiving; None where it is switched off.
        retained_bytes: size of the log that the server keeps for each replication slot, by name.
        clock_offset_s: clock of this process minus that of the database, seconds.
    """

    tenants: list[TenantActivity]
    job_runs: Mapping[str, datetime]
    default_rows: Mapping[str, int]
    size_bytes: int
    connections: int
    max_connections: int
    archiver: Archiver | None
    retained_bytes: Mapping[str, int]
    clock_offset_s: float


def read_state(engine: Engine) -> DatabaseState:
    """Return the state of the database, as the service's role sees it.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with transaction(engine) as connection:
        see_all_tenants(connection)
        begun_s = time.time()
        now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        offset_s = (begun_s + time.time()) / 2 - now.timestamp()
        archiver = connection.execute(_ARCHIVER).one_or_none()
        return DatabaseState(
            tenants=tenant_activity(connection, now),
            job_runs=job_runs(connection),
            default_rows={table: _default_rows(connection, table) for table in PARTITIONED},
            **connection.execute(_SERVER).one()._mapping,
            archiver=Archiver(*archiver) if archiver else None,
            retained_bytes=dict(connection.execute(_SLOTS).tuples().all()),
            clock_offset_s=offset_s,
        )


def _default_rows(connection: Connection, table: str) -> int:
    """Return the number of rows in a table's default partition, at most MOST_ROWS.

    The service's role may not read a partition by its name, so the rows are those whose ids no
    month covers; Postgres reads no other partition for these ranges.
    """
    key = PARTITIONED[table]
    ranges = list(_gaps(sorted(months_of_table(connection, table))))
    parts = [
        f"(SELECT FROM {table} WHERE {key} >= '{start}'"
        + (f" AND {key} < '{end}'" if end else "")
        + f" LIMIT {MOST_ROWS})"
        for start, end in ranges
    ]
    counted = f"SELECT count(*) FROM ({' UNION ALL '.join(parts)} LIMIT {MOST_ROWS}) AS found"  # noqa: S608
    return int(connection.execute(text(counted)).scalar_one())


def _gaps(months: list[Month]) -> Iterator[tuple[UUID, UUID | None]]:
    """Yield the ranges of ids that sorted months do not cover; the last one has no end."""
    start = UUID(int=0)
    for month in months:
        if start < month.first_id:
            yield start, month.first_id
        start = month.plus(1).first_id
    yield start, None
