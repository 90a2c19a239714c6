"""The upkeep of the monthly partitions: made ahead, the default ones emptied, old months dropped.

Scoring goes on meanwhile. What needs a lock that stops it (ACCESS EXCLUSIVE) is one transaction
that changes the catalogue and, at most, moves the rows of the default partition. It waits for a
lock no longer than LOCK_TIMEOUT_MS, because everybody queues behind it, and tries again; as a whole
it lasts no longer than a pause that the operator may set, or Postgres ends it and nothing has
changed. DETACH CONCURRENTLY is no way around: it refuses a table that has a default partition, and
the default partition is what keeps a decision when nobody made its month.

What takes long takes no such lock. Idempotency keys and feedback of an old month are deleted page
by page before the month is dropped, and foreign keys are validated after, see
`persistence/maintenance/foreign_keys.py`. A run that was killed leaves only work that the next one
finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from psycopg import errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from persistence.errors import translate_errors
from persistence.maintenance.foreign_keys import references_set_aside, unvalidated, validate
from persistence.maintenance.partitions import (
    PARTITIONED,
    Month,
    make_months,
    months_kept,
    months_made,
)
from persistence.maintenance.retention import (
    delete_feedback,
    delete_keys,
    delete_late_keys,
    drop_month,
)
from persistence.tenancy import every_tenants_transaction, see_all_tenants
from scoring.errors import CommandError

MONTHS_AHEAD = 3
PAUSE_S = 3.0
"""Less than the service's statement_timeout: requests wait, and none fails."""
LOCK_TIMEOUT_MS = 500
_ATTEMPTS = 20
_BETWEEN_ATTEMPTS_S = 1.0
_NEEDS_VERSION = 18

_ONE_RUN = (0x53E47, 1)  # an advisory lock's two numbers; the batch writer's locks have one

Report = Callable[[str], None]
T = TypeVar("T")


class MaintenanceError(CommandError):
    """Maintenance could not be done."""


class PauseTooShort(MaintenanceError):
    """The work takes longer than the pause that scoring may have to make."""


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do.

    Attributes:
        make: months without partitions, this one to MONTHS_AHEAD after it.
        move: months whose rows lie in the default partitions, and how many of one table at most.
        drop: months that ended before the oldest that is kept.
        later: such rows of months that are too far ahead to make.
    """

    make: tuple[Month, ...]
    move: dict[Month, int]
    drop: tuple[Month, ...]
    later: int


def maintain(
    engine: Engine,
    now: datetime,
    *,
    retain_months: int | None = None,
    pause_s: float = PAUSE_S,
    dry_run: bool = False,
    report: Report = lambda _line: None,
) -> None:
    """Do what there is to do; a second run at the same time waits for the first.

    Args:
        engine: acts as the tables' owner, with OPERATOR_TIMEOUT_S.
        now: an aware moment; its month (UTC) is the first that has to be there.
        retain_months: whole months before this one that are kept with all that belongs to their
            decisions, at least 1; None keeps everything.
        pause_s: how long scoring may wait for one of the short transactions.
        dry_run: only report.
        report: takes a line of plain English for each thing done.

    Raises:
        MaintenanceError: a lock could not be had, the pause was too short, the engine does not act
            as the owner, or this Postgres is too old. Nothing is half-done.
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    with _translate_errors(), engine.connect() as connection, _alone(connection, report):
        _check_version(connection)
        work = _look(connection, now, retain_months)
        if dry_run:
            _preview(work, report)
            return
        if work.move:
            _in_a_pause(connection, pause_s, partial(_move, connection, work))
            for month, count in sorted(work.move.items()):
                report(f"Moved {count} of {month} out of the default partitions.")
        elif work.make:
            _in_a_pause(connection, pause_s, partial(make_months, connection, work.make))
        for month in work.make:
            report(f"Made the partitions of {month}.")
        if work.drop:
            _drop(connection, work.drop, pause_s, report)
        _validate(connection, report)
        if work.later:
            report(f"Left {work.later} of later months in the default partitions until then.")
        if work == Work((), {}, (), work.later):
            report("The partitions of this month and those ahead are there; nothing to do.")


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate as persistence does, and a missing privilege into MaintenanceError."""
    try:
        with translate_errors():
            yield
    except DBAPIError as error:
        if isinstance(error.orig, errors.InsufficientPrivilege):
            raise MaintenanceError(
                "Maintenance changes tables: DATABASE_URL has to name the role that owns them."
            ) from error
        raise


@contextmanager
def _alone(connection: Connection, report: Report) -> Iterator[None]:
    """Hold the advisory lock of maintenance; Postgres lets go of it when the connection ends."""
    one_run = {"a": _ONE_RUN[0], "b": _ONE_RUN[1]}
    with connection.begin():
        free = connection.execute(text("SELECT pg_try_advisory_lock(:a, :b)"), one_run).scalar_one()
        if not free:
            report("Another run is at work on this database; waiting for its end.")
            connection.execute(text("SELECT pg_advisory_lock(:a, :b)"), one_run)
    try:
        yield
    finally:
        if not connection.invalidated:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_unlock(:a, :b)"), one_run)


def _look(connection: Connection, now: datetime, retain_months: int | None) -> Work:
    this = Month.of(now)
    wanted = [this.plus(offset) for offset in range(MONTHS_AHEAD + 1)]
    with every_tenants_transaction(connection):
        made, kept = months_made(connection), months_kept(connection)
        stray = _stray(connection)
    move = {month: count for month, count in stray.items() if month <= wanted[-1]}
    oldest = this.plus(-retain_months) if retain_months is not None else Month(0, 1)
    return Work(
        make=tuple(month for month in wanted if month not in made),
        move=move,
        drop=tuple(sorted(month for month in kept | set(move) if month < oldest)),
        later=sum(stray.values()) - sum(move.values()),
    )


def _stray(connection: Connection) -> dict[Month, int]:
    """Return the months of what lies in default partitions, and how many rows of a table each."""
    found: dict[Month, int] = {}
    for table, key in PARTITIONED.items():
        # The first 48 bits of an id are Unix milliseconds.
        statement = text(
            f"""
            SELECT to_char(to_timestamp(
                    ('x' || left(replace({key}::text, '-', ''), 12))::bit(48)::bigint / 1000
                ) AT TIME ZONE 'UTC', 'YYYY-MM'), count(*)
            FROM {table}_default GROUP BY 1
            """  # noqa: S608 - names of our making
        )
        for month, count in connection.execute(statement):
            of = Month(*map(int, month.split("-")))
            found[of] = max(count, found.get(of, 0))
    return found


def _preview(work: Work, report: Report) -> None:
    for month, count in sorted(work.move.items()):
        report(f"Would move {count} of {month} out of the default partitions.")
    for month in work.make:
        report(f"Would make the partitions of {month}.")
    for month in work.drop:
        report(f"Would drop {month} with its decisions, idempotency keys and feedback.")
    if not (work.move or work.make or work.drop):
        report("Nothing to do.")


def _move(connection: Connection, work: Work) -> None:
    """Make the months, those of the default partition's rows too, and put these into them."""
    months = sorted({*work.make, *work.move})
    with references_set_aside(connection):
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
                """  # noqa: S608 - names of our making
                connection.execute(text(move))
            connection.execute(
                text(f"ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT")
            )


def _drop(
    connection: Connection, months: tuple[Month, ...], pause_s: float, report: Report
) -> None:
    for month in months:
        decisions, keys = delete_keys(connection, month)
        with every_tenants_transaction(connection):
            feedback = delete_feedback(connection, month)
        feedback += _in_a_pause(connection, pause_s, partial(drop_month, connection, month))
        with every_tenants_transaction(connection):
            keys += delete_late_keys(connection, month)
        report(
            f"Dropped {month}: {decisions} decisions, {keys} idempotency keys,"
            f" {feedback} entries of feedback."
        )


def _validate(connection: Connection, report: Report) -> None:
    """Validate what this run or one that was killed has left."""
    with every_tenants_transaction(connection):
        left = unvalidated(connection)
    for table, name in left:
        with every_tenants_transaction(connection):
            validate(connection, table, name)
        report(f"Checked the references of {table} again.")


def _in_a_pause(connection: Connection, pause_s: float, work: Callable[[], T]) -> T:
    """Do work that stops scoring, in one transaction that is over after `pause_s`."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_BETWEEN_ATTEMPTS_S)
        begun_s = time.monotonic()
        try:
            with connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
                connection.execute(text(f"SET LOCAL transaction_timeout = {pause_s * 1e3:.0f}"))
                return work()
        except DBAPIError as error:
            # Postgres ends the connection with the transaction; its reason may get lost with it.
            cut_off = error.connection_invalidated and time.monotonic() - begun_s >= pause_s
            if cut_off or isinstance(error.orig, errors.TransactionTimeout):
                raise PauseTooShort(
                    f"Scoring would have to wait longer than {pause_s:g} s, so nothing was changed."
                ) from error
            if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
    raise MaintenanceError(
        f"The tables could not be locked in {_ATTEMPTS} attempts of {LOCK_TIMEOUT_MS} ms;"
        " end the transactions that are open for long, and run it again."
    )


def _check_version(connection: Connection) -> None:
    version = connection.dialect.server_version_info or (0,)
    if version[0] < _NEEDS_VERSION:
        raise MaintenanceError(
            f"Sentinel keeps its partitions in Postgres {_NEEDS_VERSION} or newer;"
            f" this is {version[0]}."
        )
