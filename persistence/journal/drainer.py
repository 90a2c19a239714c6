"""Bring the records of a journal into Postgres: in order, some at a time, each once.

A record is removed from the journal after its commit. A process that is killed in between looks at
it again and finds its id stored. What Postgres refuses is set aside with the reason, so that it
holds up nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, cast
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import DBAPIError

from persistence.connection.timeout_connection import TimeoutConnection
from persistence.decisions.insert_sql import journalled_call
from persistence.decisions.rows import Decided
from persistence.hourly.folding import add_late, hold_marks
from persistence.idempotency import KeyedRequest
from persistence.journal.frames import Kind
from persistence.journal.journal import Journal
from persistence.journal.places import Location
from persistence.journal.records import Record
from persistence.pipeline.libpq import in_transaction
from persistence.tables.decisions import IdempotencyKeyRow
from persistence.tables.idempotency import IdempotentRequestRow
from persistence.tenancy import tenant_transaction
from scoring.errors import StoreUnavailable

logger = logging.getLogger("sentinel.journal")

PART_ROWS = 100
"""Decisions of a transaction: 10 ms, which no payment waits for."""

OUTCOMES = ("stored", "known", "superseded", "refused")
"""What becomes of a decision: it is stored; it was stored before, as the connection broke after the
commit; another decision has its key; or Postgres refuses it."""

_TRUE = b"\1"


class KeyInFlight(StoreUnavailable):
    """A transaction that is open holds the key of a record; it is tried again."""

    def __init__(self) -> None:
        super().__init__("An open transaction holds an external_id of the journal.")


class _Stored(NamedTuple):
    """What became of the decisions of a part.

    Attributes:
        now: predictions that were stored now.
        others: predictions whose key answers with another prediction.
    """

    now: set[UUID]
    others: set[UUID]


class Drainer:
    """Stores the records of a journal; one thread at a time.

    Args:
        engine: pool that acts as the service, of which no payment takes a connection.
        journal: journal whose records are stored.

    Attributes:
        outcomes: number of decisions by what became of them, of OUTCOMES.
    """

    def __init__(self, engine: Engine, journal: Journal) -> None:
        self._engine = engine
        self._journal = journal
        self.outcomes: Counter[str] = Counter()

    def drain_part(self) -> int:
        """Store the oldest records, and remove them from the journal; return how many there were.

        Raises:
            StoreUnavailable: Postgres is away or has forgotten prepared statements, or a key is in
                flight; nothing was removed.
        """
        part = self._journal.oldest(PART_ROWS)
        if part:
            self._store(part)
            self._journal.remove(len(part))
        return len(part)

    def store_record(self, record: Record) -> bool:
        """Store one record that is in no journal any more; return whether others have its keys.

        Raises:
            StoreUnavailable: Postgres is away, or a key is in flight.
            psycopg.Error, DBAPIError: Postgres refuses it.
        """
        return bool(self._store_records([record]).others)

    def _store(self, part: Sequence[Location]) -> None:
        """Store records in one transaction; where Postgres refuses it, in two."""
        try:
            readable = [(at, record) for at in part if (record := self._read(at)) is not None]
            if not readable:
                return
            stored = self._store_records([record for _, record in readable])
        except (psycopg.Error, DBAPIError) as error:
            if _is_repeated(error):
                raise KeyInFlight from error
            if len(part) == 1:
                self._refuse(part[0], str(error).strip().partition("\n")[0])
                return
            middle = len(part) // 2
            self._store(part[:middle])
            self._store(part[middle:])
            return
        for location, record in readable:
            self._count(location, record, stored)

    def _read(self, location: Location) -> Record | None:
        try:
            return self._journal.read(location)
        except (ValueError, KeyError, TypeError, OSError):
            path = self._journal.set_bytes_aside(location)
            logger.exception("a record of the journal cannot be read (%s)", path)
            self.outcomes["refused"] += location.rows
            return None

    def _store_records(self, records: Sequence[Record]) -> _Stored:
        decisions = [decided for record in records for decided in record.decisions]
        tenant_ids = sorted({record.tenant_id for record in records})
        with tenant_transaction(self._engine, *tenant_ids) as connection:
            for record in records:
                if record.request is not None:
                    earlier = _batch_with(connection, record.tenant_id, record.request)
                    if earlier is not None:
                        is_own = earlier == record.prediction_ids
                        return _Stored(set(), set() if is_own else set(record.prediction_ids))
            marks = hold_marks(connection, tenant_ids)
            stored = _insert(connection, decisions) if decisions else _Stored(set(), set())
            for tenant_id, mark in marks.items():
                own = {
                    decided.prediction_id for decided in decisions if decided.tenant_id == tenant_id
                }
                add_late(connection, tenant_id, mark, own & stored.now)
            for record in records:
                if record.request is not None:
                    _keep_batch(connection, record, record.request, stored)
        return stored

    def _count(self, location: Location, record: Record, stored: _Stored) -> None:
        for decided in record.decisions:
            if decided.prediction_id in stored.now:
                self.outcomes["stored"] += 1
            elif decided.prediction_id in stored.others:
                self.outcomes["superseded"] += 1
                external_id = decided.transaction.external_id
                self._journal.set_aside(
                    location,
                    _name(location, decided.prediction_id),
                    f"Another decision answers external_id {external_id!r}: its key was claimed in"
                    " Postgres before, or by another process.",
                )
            else:
                self.outcomes["known"] += 1

    def _refuse(self, location: Location, reason: str) -> None:
        record = self._read(location)
        if record is None:
            return
        path = self._journal.set_aside(
            location,
            _name(location, record.prediction_ids[0]),
            f"Postgres refuses it: {reason}",
        )
        logger.warning("Postgres refuses a record of the journal (%s): %s", path, reason)
        self.outcomes["refused"] += location.rows


def _insert(connection: Connection, decisions: Sequence[Decided]) -> _Stored:
    """Store decisions that are not stored yet.

    Raises:
        KeyInFlight: an open transaction holds a key; the transaction has to be rolled back.
    """
    driver = cast("TimeoutConnection", connection.connection.driver_connection)
    result = in_transaction(driver, journalled_call(decisions))
    now: set[UUID] = set()
    others: set[UUID] = set()
    for i in range(result.ntuples):
        prediction_id = UUID(bytes=result.get_value(i, 0))
        if result.get_value(i, 1) != _TRUE:
            raise KeyInFlight
        (now if result.get_value(i, 2) == _TRUE else others).add(prediction_id)
    return _Stored(now, others)


def _batch_with(connection: Connection, tenant_id: int, request: KeyedRequest) -> list[UUID] | None:
    """Return the decisions that answer the key of a batch; None where it has no answer yet."""
    row = IdempotentRequestRow
    statement = select(row.prediction_ids).where(row.tenant_id == tenant_id, row.key == request.key)
    found = connection.execute(statement).one_or_none()
    return None if found is None else list(found.prediction_ids or ())


def _keep_batch(
    connection: Connection, record: Record, request: KeyedRequest, stored: _Stored
) -> None:
    """Keep which decisions answer the key of a batch."""
    row, superseded = IdempotencyKeyRow, {}
    for decided in record.decisions:
        if decided.prediction_id in stored.others:
            superseded[decided.transaction.external_id] = decided.prediction_id
    statement = select(row.key, row.prediction_id).where(
        row.tenant_id == record.tenant_id, row.key.in_(superseded)
    )
    instead = {superseded[key]: id_ for key, id_ in connection.execute(statement)}
    connection.execute(
        insert(IdempotentRequestRow).values(
            tenant_id=record.tenant_id,
            key=request.key,
            body_digest=request.digest,
            prediction_ids=[instead.get(id_, id_) for id_ in record.prediction_ids],
        )
    )


def _is_repeated(error: Exception) -> bool:
    """Whether another transaction has just committed a row of the part: its connection broke."""
    return isinstance(_cause(error), psycopg.errors.UniqueViolation)


def _cause(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _name(location: Location, prediction_id: UUID) -> str:
    kind = "batch" if location.kind is Kind.BATCH else "decision"
    return f"{location.number:020d}-{prediction_id}.{kind}.json"
