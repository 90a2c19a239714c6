"""Bring the records of a journal into Postgres: in order, some at a time, each once.

A record is removed from the journal after its commit. A process that is killed in between looks at
it again and finds its id stored. What Postgres refuses is set aside with the reason, so that it
holds up nothing. Where the quarantine does not take it, it stays in the journal, and the records
behind it go on.
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
from persistence.journal.journal import Journal
from persistence.journal.places import Location
from persistence.journal.quarantine import Aside, Refusals
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
        self._refusals = Refusals(journal, self.outcomes)

    def drain_part(self) -> int:
        """Store the oldest records, and remove them from the journal; return how many there were.

        Raises:
            StoreUnavailable: Postgres is away or has forgotten prepared statements, or a key is in
                flight; nothing was removed.
        """
        self._refusals.try_when_due()
        part = self._journal.oldest(PART_ROWS)
        if part:
            try:
                self._store(part)
            except BaseException:
                self._refusals.forget(part)  # Postgres may take it when the part is repeated
                raise
            self._journal.remove(len(part), self._refusals.kept)
        return len(part)

    def try_kept_again(self) -> None:
        """Set aside what has stayed in the journal, as far as the quarantine takes it now."""
        self._refusals.try_again()

    def store_record(self, record: Record) -> bool:
        """Store one record that is in no journal any more; return whether others have its keys.

        Raises:
            StoreUnavailable: Postgres is away, or a key is in flight.
            psycopg.Error, DBAPIError: Postgres refuses it.
        """
        return bool(self._store_records([record]).others)

    def _store(self, part: Sequence[Location]) -> None:
        """Store records; what cannot be read is set aside."""
        readable = [(at, record) for at in part if (record := self._read(at)) is not None]
        if readable:
            self._store_read(readable)

    def _store_read(self, readable: Sequence[tuple[Location, Record]]) -> None:
        """Store records in one transaction; where Postgres refuses it, in two."""
        try:
            stored = self._store_records([record for _, record in readable])
        except (psycopg.Error, DBAPIError) as error:
            if _is_repeated(error):
                raise KeyInFlight from error
            if len(readable) == 1:
                self._refuse(*readable[0], str(error).strip().partition("\n")[0])
                return
            middle = len(readable) // 2
            self._store_read(readable[:middle])
            self._store_read(readable[middle:])
            return
        for location, record in readable:
            self._count(location, record, stored)

    def _read(self, location: Location) -> Record | None:
        try:
            return self._journal.read(location)
        except OSError as error:
            self._refusals.keep(location, error)
        except (ValueError, KeyError, TypeError):
            logger.exception("record %d of %s cannot be read", location.number, location.path)
            self._refusals.set_aside(location, Aside("refused", location.rows))
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
        superseded = []
        for decided in record.decisions:
            if decided.prediction_id in stored.others:
                superseded.append(decided)
            else:
                is_new = decided.prediction_id in stored.now
                self.outcomes["stored" if is_new else "known"] += 1
        if superseded:
            ids = [decided.prediction_id for decided in superseded]
            aside = Aside("superseded", len(ids), ids, _superseded(superseded))
            self._refusals.set_aside(location, aside)

    def _refuse(self, location: Location, record: Record, reason: str) -> None:
        logger.warning("Postgres refuses record %d of the journal: %s", location.number, reason)
        ids = [decided.prediction_id for decided in record.decisions] or record.prediction_ids
        reason = f"Postgres refuses it: {reason}"
        self._refusals.set_aside(location, Aside("refused", location.rows, ids, reason))


def _superseded(decisions: Sequence[Decided]) -> str:
    """Return why Postgres has others in place of these decisions of a record."""
    ids = [d.transaction.external_id for d in decisions if d.transaction.external_id is not None]
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    what = f"external_id {ids[0]!r}{more}" if ids else "the key of the batch"
    return (
        f"Another decision answers {what}: the key was claimed in Postgres before, or by another"
        " process."
    )


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
