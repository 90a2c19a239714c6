"""The decision log: stores a batch of decisions, in one transaction and one round trip as a rule.

More round trips are needed on a new connection (to prepare the statements), for rows whose
`external_id` was used before (to read the stored decision), and for /score/batch with such ids
(docs/decisions/0009-keys-of-the-decision-log.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from uuid import UUID

import psycopg
from psycopg.pq.abc import PGresult
from psycopg.rows import dict_row
from sqlalchemy import Engine

from persistence.decisions.batch_keys import claim_batch, keep_batch
from persistence.decisions.insert_sql import (
    BEGIN,
    INSERT,
    INSERT_EVENTS,
    REPLAY,
    SET_TENANTS,
    SET_TENANTS_PREPARED,
    insert_call,
)
from persistence.decisions.rows import Decided, body_digest, decided_from
from persistence.idempotency import KeyedRequest
from persistence.pipeline.libpq import Call, idle, round_trip, round_trip_on_loop
from persistence.pool import CountingPool
from persistence.raw_connection import (
    PostgresConnection,
    driver_connection,
    implicit_transaction,
)
from persistence.tenancy import joined
from scoring.errors import (
    FieldError,
    IdempotencyMismatch,
    InFlight,
    InvalidRequest,
    NotStorable,
    SentinelError,
)

logger = logging.getLogger("sentinel.log")

_TRUE = b"\1"
_ABSENT_FIELDS = 2
_STATEMENTS = (BEGIN, SET_TENANTS_PREPARED, INSERT, INSERT_EVENTS)

Outcome = Decided | SentinelError
"""A decision that is stored, now or earlier, or the error that prevented it."""


class KeysRefused(InvalidRequest):
    """Rows of a batch whose `external_id` is in flight or was used before with another body.

    The path of each error begins with the row's number in the batch, such as `3.external_id`.

    Attributes:
        are_in_flight: whether every one of them is in flight, so that a retry may succeed.
    """

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...], are_in_flight: bool) -> None:
        super().__init__(detail, errors=errors)
        self.are_in_flight = are_in_flight


class DecisionLog:
    """Writes decisions; safe to call from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(
        self, batch: Sequence[Decided], meanwhile: Callable[[], None] = idle
    ) -> list[Outcome]:
        """Store a batch of decisions of one or many tenants.

        Args:
            batch: decisions to store.
            meanwhile: function that is called while Postgres stores them; not called where they
                cannot be sent.

        Returns:
            For each, in order: the same decision, now stored; the decision stored earlier under
            the same `external_id` and body; IdempotencyMismatch, where the earlier body differs;
            InFlight, where the earlier one is not yet committed; or NotStorable, where Postgres
            refuses this row, which does not affect the others.

        Raises:
            StoreUnavailable: Postgres did not confirm the commit. Where the connection broke in
                between, the batch may be stored; a retry with the same `external_id` returns it.
        """
        # 5 ms for 1000 rows, so before a connection is taken from the pool.
        calls = insert_calls(batch)
        try:
            with driver_connection(self._engine) as connection:
                _, absent = round_trip(connection, _STATEMENTS, calls, meanwhile)
                return _outcomes(connection, batch, [absent])
        except psycopg.Error as error:
            if len(batch) == 1:
                logger.exception("Postgres refuses a decision")
                return [NotStorable("Postgres refuses the decision; nothing was stored.")]
            logger.warning("splitting a batch, since Postgres refuses one of its rows: %s", error)
        middle = len(batch) // 2
        return self.write(batch[:middle]) + self.write(batch[middle:])

    def has_free_connection(self) -> bool:
        """Return whether `write_on_loop` can use an idle open connection."""
        pool = self._engine.pool
        return isinstance(pool, CountingPool) and pool.has_free_connection()

    async def write_on_loop(
        self, decided: Decided, meanwhile: Callable[[], None] = idle
    ) -> Outcome:
        """Store one decision as `write` does, without blocking the running event loop.

        It blocks while a connection is opened, unless `has_free_connection`. A thread handles
        repeated keys and errors.
        """
        absent: PGresult | None = None
        try:
            with driver_connection(self._engine) as connection:
                # What Postgres has forgotten, `write` prepares again.
                with suppress(psycopg.errors.InvalidSqlStatementName):
                    _, absent = await round_trip_on_loop(
                        connection, _STATEMENTS, insert_calls([decided]), meanwhile
                    )
                if absent is not None:
                    if not absent.ntuples:
                        return decided
                    (outcome,) = await asyncio.to_thread(_outcomes, connection, [decided], [absent])
                    return outcome
        except psycopg.Error as error:
            logger.debug("a decision is stored again on a thread: %s", error)
        (outcome,) = await asyncio.to_thread(self.write, [decided], meanwhile)
        return outcome

    def write_whole(
        self,
        tenant_ids: Set[int],
        parts: Iterable[Sequence[Decided]],
        meanwhile: Callable[[], None] = idle,
        *,
        has_keys: bool,
        request: KeyedRequest | None = None,
    ) -> list[Decided]:
        """Store all decisions of a batch or none.

        Args:
            tenant_ids: tenants of the decisions.
            parts: parts of the batch; each is stored while the next one is computed. An error that
                the iterator raises is passed on and nothing is stored; the keys of earlier parts
                are in flight until Postgres detects the closed connection.
            meanwhile: as for `write`, called after the last part is sent.
            has_keys: whether any transaction has an `external_id`.
            request: key and digest of the whole batch, of one tenant; None without a key.

        Returns:
            The decisions in order, each stored now, or earlier under the same `external_id` or by
            a batch with the same key. In the last case `parts` is not read.

        Raises:
            InFlight: a batch with the same key is being stored. Nothing is stored.
            IdempotencyMismatch: the key was used before with another request.
            KeysRefused: an `external_id` is in flight, or was used before with another body.
                Nothing is stored.
            NotStorable: Postgres refuses a row. Nothing is stored.
            StoreUnavailable: as for `write`; all decisions are stored or none.
        """
        decisions: list[Decided] = []
        # Without keys no row can conflict, so no result has to be checked before the commit.
        begins = has_keys and request is None
        calls = _whole_batch_calls(tenant_ids, parts, decisions, begins=begins)
        try:
            with driver_connection(self._engine) as connection:
                if request is not None:
                    (tenant_id,) = tenant_ids
                    earlier = claim_batch(connection, _STATEMENTS, tenant_id, request)
                    if earlier is not None:
                        return earlier
                results = round_trip(connection, _STATEMENTS, calls, meanwhile)
                outcomes = _outcomes(connection, decisions, results)
                stored = _all_stored(outcomes)
                if request is not None:
                    keep_batch(connection, tenant_id, request, stored)
                if has_keys or request is not None:
                    connection.execute("COMMIT")
                return stored
        except psycopg.Error as error:
            logger.exception("Postgres refuses a batch")
            raise NotStorable("Postgres refuses the batch; nothing was stored.") from error


def insert_calls(batch: Sequence[Decided]) -> list[Call]:
    """Return the calls that store a batch; the last one returns the rows that were not stored."""
    tenants = joined({d.tenant_id for d in batch}).encode()
    return [(SET_TENANTS_PREPARED, [tenants]), insert_call(batch)]


def _whole_batch_calls(
    tenant_ids: Set[int],
    parts: Iterable[Sequence[Decided]],
    decisions: list[Decided],
    *,
    begins: bool,
) -> Iterator[Call]:
    """Yield the calls that store a batch, and add the decisions of each part to `decisions`."""
    if begins:
        yield BEGIN, ()
    yield SET_TENANTS_PREPARED, [joined(tenant_ids).encode()]
    for part in parts:
        decisions += part
        yield insert_call(part)


def _all_stored(outcomes: Sequence[Outcome]) -> list[Decided]:
    """Return the decisions of a batch; raise KeysRefused unless all of them are stored."""
    refused = {i: o for i, o in enumerate(outcomes) if isinstance(o, SentinelError)}
    if refused:
        raise KeysRefused(
            "Nothing was stored.",
            errors=tuple(FieldError(f"{i}.external_id", o.title) for i, o in refused.items()),
            are_in_flight=all(isinstance(o, InFlight) for o in refused.values()),
        )
    return [outcome for outcome in outcomes if isinstance(outcome, Decided)]


def _outcomes(
    connection: PostgresConnection, batch: Sequence[Decided], results: Iterable[PGresult]
) -> list[Outcome]:
    """Return the outcome of each decision; query Postgres only where some were not stored.

    Args:
        connection: connection that stored them.
        batch: decisions in order.
        results: results of the calls; those with two columns contain the rows that were not stored.
    """
    has_lock = {
        UUID(bytes=absent.get_value(i, 0)): absent.get_value(i, 1) == _TRUE
        for absent in results
        if absent.nfields == _ABSENT_FIELDS
        for i in range(absent.ntuples)
    }
    if not has_lock:
        return list(batch)
    # The lock shows why a row is not stored: with it, the key was used before;
    # without it, another open transaction holds the key.
    repeated = [d for d in batch if has_lock.get(d.prediction_id)]
    earlier = _read_earlier(connection, repeated) if repeated else {}
    return [
        d
        if d.prediction_id not in has_lock
        else _replay(d, earlier)
        if has_lock[d.prediction_id]
        else _in_flight(d)
        for d in batch
    ]


def _read_earlier(
    connection: PostgresConnection, repeated: Sequence[Decided]
) -> dict[tuple[int, str], tuple[bytes, Decided]]:
    keys = [d.tenant_id for d in repeated], [d.transaction.external_id for d in repeated]
    with implicit_transaction(connection), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(SET_TENANTS, [joined(set(keys[0]))], prepare=True)
        cursor.execute(REPLAY, keys, prepare=True)
        rows = cursor.fetchall()
    return {(r["tenant_id"], r["key"]): (r["body_digest"], decided_from(r)) for r in rows}


def _replay(
    decided: Decided, earlier: dict[tuple[int, str], tuple[bytes, Decided]]
) -> Decided | SentinelError:
    external_id = decided.transaction.external_id or ""
    match = earlier.get((decided.tenant_id, external_id))
    if match is None:  # its month has been dropped, and the key is about to be
        return _in_flight(decided)
    digest, stored = match
    if digest == body_digest(decided.transaction):
        return stored
    return IdempotencyMismatch(
        f"external_id {external_id!r} was used before with another transaction."
    )


def _in_flight(decided: Decided) -> InFlight:
    external_id = decided.transaction.external_id
    return InFlight(f"external_id {external_id!r} is being decided; send the request again.")
