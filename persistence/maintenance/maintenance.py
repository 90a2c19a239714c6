"""Maintain the monthly partitions: create months ahead, empty the default ones, drop old months.

Scoring goes on during a run. Each piece of work that needs a lock that stops scoring (ACCESS
EXCLUSIVE) is one transaction that changes the catalogue and, at most, moves the rows of the default
partition, see `persistence/maintenance/pause.py`. DETACH CONCURRENTLY is not possible: it refuses a
table that has a default partition, and the default partition stores decisions whose month has no
partition.

Long work takes no such lock and goes page by page: past events that no window sees are deleted
(`persistence/history/retention.py`), what is about to be dropped is stated in the sealed log
(`persistence/maintenance/sealed.py`), idempotency keys, feedback and labels of an old month are
deleted before the month is dropped, claims, sessions and one-time links are deleted when they have
ended (`persistence/maintenance/ended.py`), and afterwards foreign keys are validated
(`persistence/maintenance/foreign_keys.py`) and indexes built that a migration only began
(`persistence/maintenance/indexes.py`). After a run that was killed, the next run completes the
work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from psycopg import errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from persistence.actor import Actor
from persistence.errors import translate_errors
from persistence.history.retention import KEPT_US, count_old_events, delete_old_events
from persistence.maintenance.ended import Ended, count_ended, delete_ended
from persistence.maintenance.errors import MaintenanceError
from persistence.maintenance.foreign_keys import foreign_keys_dropped, unvalidated, validate
from persistence.maintenance.indexes import build_indexes
from persistence.maintenance.partitions import (
    ACCESSES,
    DECISIONS,
    PARTITIONED,
    Month,
    make_months,
    months_kept,
    months_made,
)
from persistence.maintenance.pause import PAUSE_S, run_within
from persistence.maintenance.retention import (
    delete_assignments,
    delete_feedback,
    delete_keys,
    delete_labels,
    delete_late_keys,
    delete_requests,
    drop_accesses,
    drop_month,
)
from persistence.maintenance.sealed import state_expiry
from persistence.tenancy import OPERATOR, every_tenants_transaction, see_all_tenants
from persistence.uploads.retention import old_uploads, remove_files
from scoring.counted import counted
from scoring.windows.definition import DAY_US

MONTHS_AHEAD = 3
UPLOAD_DAYS = 30
"""Days for which the files of an upload are kept after it ended, unless somebody sets others."""
_HISTORY = f"that are more than {KEPT_US // DAY_US} days older than the newest of their tenant"

_RUN_LOCK = (0x53E47, 1)  # an advisory lock of two numbers; the batch writer's locks have one

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one run.

    Attributes:
        make: months without partitions, from this one to MONTHS_AHEAD after it.
        move: number of rows in the default partitions by month, of the table that has the most.
        drop: months before the oldest month whose decisions are kept.
        drop_accesses: months before the oldest month whose readings are kept.
        later: number of rows in the default partitions whose months are too far ahead to create.
    """

    make: tuple[Month, ...]
    move: dict[Month, int]
    drop: tuple[Month, ...]
    drop_accesses: tuple[Month, ...]
    later: int


def maintain(
    engine: Engine,
    now: datetime,
    *,
    retain_months: int | None = None,
    retain_access_months: int | None = None,
    retain_upload_days: int = UPLOAD_DAYS,
    pause_s: float = PAUSE_S,
    keep_events: bool = False,
    dry_run: bool = False,
    report: Report = lambda _line: None,
    actor: Actor = OPERATOR,
) -> None:
    """Create, empty and drop partitions; a second run at the same time waits for the first.

    Args:
        engine: pool of two connections whose role owns the tables, with OPERATOR_TIMEOUT_S.
        now: current time, an aware datetime; its month (UTC) is the first that needs partitions.
        retain_months: number of whole months before this one whose decisions are kept, with their
            keys, feedback and labels; at least 1. None keeps everything.
        retain_access_months: number of whole months before this one whose readings in the access
            log are kept; at least 1. None keeps everything.
        retain_upload_days: number of days for which the files of an upload are kept after it ended;
            the upload and its decisions stay.
        pause_s: longest time that scoring may wait for one of the short transactions, seconds.
        keep_events: whether past events that no window can see any more are kept.
        dry_run: whether to report the work without doing it.
        report: function that receives one sentence for each change.
        actor: actor of the deletions in the audit log.

    Raises:
        MaintenanceError: a lock was not free in time, the pause was too short, or the engine's
            role does not own the tables. No step is left half-done.
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with _translate_errors(), _run_lock(engine, report), engine.connect() as connection:
        work = _plan(connection, now, retain_months, retain_access_months)
        with every_tenants_transaction(connection):
            files_before = now - timedelta(days=retain_upload_days)
            uploads = old_uploads(connection, files_before, now)
        if dry_run:
            old = 0 if keep_events else count_old_events(connection)
            with every_tenants_transaction(connection):
                ended = count_ended(connection)
            _preview(work, old, len(uploads), ended, report)
            return
        if work.move:
            run_within(pause_s, connection, partial(_move, connection, work))
            for month, count in sorted(work.move.items()):
                report(f"Moved {counted(count, 'row')} of {month} out of the default partitions.")
        elif work.make:
            run_within(pause_s, connection, partial(make_months, connection, work.make))
        for month in work.make:
            report(f"Created the partitions of {month}.")
        if work.drop:
            assert retain_months is not None  # noqa: S101 - else `_plan` has no month to drop
            for month in work.drop:
                state_expiry(connection, month, retain_months, actor, now)
                _drop(connection, month, pause_s, report, actor)
        for month in work.drop_accesses:
            run_within(pause_s, connection, partial(drop_accesses, connection, month))
            report(f"Dropped the access log of {month}.")
        old = 0 if keep_events else delete_old_events(connection, actor)
        if old:
            report(f"Deleted {counted(old, 'past event')} of entities {_HISTORY}.")
        for tenant_id, number in uploads:
            with every_tenants_transaction(connection, actor):
                remove_files(connection, tenant_id, number, files_before)
        if uploads:
            report(f"Removed the files of {counted(len(uploads), 'upload')}.")
        with every_tenants_transaction(connection, actor):
            ended = delete_ended(connection)
        if any(ended):
            report(f"Deleted {ended}.")
        _validate(connection, report)
        for index in build_indexes(connection):
            report(f"Built the index {index}.")
        if work.later:
            report(f"Left {counted(work.later, 'row')} of later months in the default partitions.")
        done = old or uploads or any(ended)
        if not done and work == Work((), {}, (), (), work.later):
            report(
                f"The partitions of this month and the next {MONTHS_AHEAD} exist; nothing to do."
            )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate errors as `translate_errors` does, and a missing privilege to MaintenanceError."""
    with translate_errors():
        try:
            yield
        except DBAPIError as error:
            if isinstance(error.orig, errors.InsufficientPrivilege):
                raise MaintenanceError(
                    "Maintenance changes tables; set DATABASE_URL to the role that owns them."
                ) from error
            raise


@contextmanager
def _run_lock(engine: Engine, report: Report) -> Iterator[None]:
    """Hold the advisory lock of maintenance, in a transaction of its own.

    A lock of the session would stay behind in a pooler's connection. The transaction has no
    snapshot, so it holds up neither vacuum nor an index that is built CONCURRENTLY: its statements
    have no parameters, with which Postgres would keep the last one's portal, and its snapshot.
    """
    lock = f"({_RUN_LOCK[0]}, {_RUN_LOCK[1]})"
    with engine.begin() as connection:
        is_free = connection.execute(text(f"SELECT pg_try_advisory_xact_lock{lock}"))
        if not is_free.scalar_one():
            report("Another run is active on this database; waiting for it to end.")
            connection.execute(text(f"SELECT pg_advisory_xact_lock{lock}"))
        yield


def _plan(
    connection: Connection,
    now: datetime,
    retain_months: int | None,
    retain_access_months: int | None,
) -> Work:
    this = Month.of(now)
    needed = [this.plus(offset) for offset in range(MONTHS_AHEAD + 1)]
    with every_tenants_transaction(connection):
        made = months_made(connection)
        decided, accessed = (months_kept(connection, tables) for tables in (DECISIONS, ACCESSES))
        in_default = _default_rows(connection)
    move = {month: count for month, count in in_default.items() if month <= needed[-1]}

    def past(kept: set[Month], months: int | None) -> tuple[Month, ...]:
        oldest = this.plus(-months) if months is not None else Month(0, 1)
        # The move makes partitions of every table for these months.
        return tuple(sorted(month for month in kept | set(move) if month < oldest))

    return Work(
        make=tuple(month for month in needed if month not in made),
        move=move,
        drop=past(decided, retain_months),
        drop_accesses=past(accessed, retain_access_months),
        later=sum(in_default.values()) - sum(move.values()),
    )


def _default_rows(connection: Connection) -> dict[Month, int]:
    """Return the rows in default partitions by month, of the table that has the most."""
    counts: dict[Month, int] = {}
    for table, key in PARTITIONED.items():
        # The first 48 bits of an id are Unix milliseconds.
        statement = text(
            f"""
            SELECT to_char(to_timestamp(
                    ('x' || left(replace({key}::text, '-', ''), 12))::bit(48)::bigint / 1000
                ) AT TIME ZONE 'UTC', 'YYYY-MM'), count(*)
            FROM {table}_default GROUP BY 1
            """  # noqa: S608 - names are constants of `partitions.py`
        )
        for month, count in connection.execute(statement):
            of = Month(*map(int, month.split("-")))
            counts[of] = max(count, counts.get(of, 0))
    return counts


def _preview(work: Work, old: int, uploads: int, ended: Ended, report: Report) -> None:
    for month, count in sorted(work.move.items()):
        report(f"Would move {counted(count, 'row')} of {month} out of the default partitions.")
    for month in work.make:
        report(f"Would create the partitions of {month}.")
    for month in work.drop:
        report(f"Would drop {month} with its decisions, idempotency keys, feedback and labels.")
    for month in work.drop_accesses:
        report(f"Would drop the access log of {month}.")
    if old:
        report(f"Would delete {counted(old, 'past event')} of entities {_HISTORY}.")
    if uploads:
        report(f"Would remove the files of {counted(uploads, 'upload')}.")
    if any(ended):
        report(f"Would delete {ended}.")
    waits = work.move or work.make or work.drop or work.drop_accesses
    if not (waits or old or uploads or any(ended)):
        report("Nothing to do.")


def _move(connection: Connection, work: Work) -> None:
    """Create the partitions and move the rows of the default partitions into them."""
    months = sorted({*work.make, *work.move})
    with foreign_keys_dropped(connection):
        see_all_tenants(connection)
        for table in PARTITIONED:
            connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {table}_default"))
        make_months(connection, months)
        for table, key in PARTITIONED.items():
            for month in months:
                move = f"""
                    WITH moved AS (
                        DELETE FROM {table}_default
                        WHERE {key} >= '{month.first_id}'
                            AND {key} < '{month.plus(1).first_id}'
                        RETURNING *
                    ) INSERT INTO {month.partition_of(table)} SELECT * FROM moved
                """  # noqa: S608 - names are constants of `partitions.py`
                connection.execute(text(move))
            connection.execute(
                text(f"ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT")
            )


def _drop(
    connection: Connection, month: Month, pause_s: float, report: Report, actor: Actor
) -> None:
    decisions, keys = delete_keys(connection, month)
    with every_tenants_transaction(connection, actor):
        delete_assignments(connection, month)
        feedback = delete_feedback(connection, month)
        labels = delete_labels(connection, month)
        keys += delete_requests(connection, month)
    late = run_within(pause_s, connection, partial(drop_month, connection, month, actor))
    with every_tenants_transaction(connection):
        keys += delete_late_keys(connection, month)
    report(
        f"Dropped {month}: {counted(decisions, 'decision')}, "
        f"{counted(keys, 'idempotency key')},"
        f" {counted(feedback + late[0], 'entry', 'entries')} of feedback,"
        f" {counted(labels + late[1], 'label')}."
    )


def _validate(connection: Connection, report: Report) -> None:
    """Validate the constraints that this run, a killed one or a migration left unvalidated."""
    with every_tenants_transaction(connection):
        left = unvalidated(connection)
    for table, name in left:
        with every_tenants_transaction(connection):
            validate(connection, table, name)
        report(f"Validated the constraint {name} of {table}.")
