"""The decision log: batches of decisions, each in one transaction and one round trip."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import dict_row
from sqlalchemy import Engine

from persistence.decisions.insert_sql import (
    BEGIN,
    INSERT,
    REPLAY,
    SET_TENANTS,
    SET_TENANTS_FIRST,
    parameters,
)
from persistence.decisions.rows import Decided, body_digest, decided_from
from persistence.pipeline.libpq import Call, idle, round_trip, round_trip_on_loop
from persistence.pool import CountingPool
from persistence.raw_connection import PostgresConnection, driver_connection
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
_STATEMENTS = (BEGIN, SET_TENANTS_FIRST, INSERT)

Outcome = Decided | SentinelError
"""A decision that is stored, now or earlier, or why this one is not."""


class DecisionLog:
    """Writes decisions; safe to call from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(
        self, batch: Sequence[Decided], meanwhile: Callable[[], None] = idle
    ) -> list[Outcome]:
        """Store a batch of decisions of one or many tenants.

        Args:
            batch: the decisions.
            meanwhile: called while Postgres stores them; not, if they cannot be sent.

        Returns:
            For each, in order: the same decision, now stored; the decision stored earlier under
            the same `external_id` and body; IdempotencyMismatch, where the body was another;
            InFlight, where the first has not been answered; or NotStorable, where Postgres
            refuses this row, which then fails alone.

        Raises:
            StoreUnavailable: Postgres did not say that it committed. Where the line broke in
                between it may have; asking again with the same `external_id` tells.
        """
        calls = storing(batch)  # before a connection is taken from the others: 5 ms for 1000 rows
        try:
            with driver_connection(self._engine) as connection:
                _, absent = round_trip(connection, _STATEMENTS, calls, meanwhile)
                return _outcomes(connection, batch, [absent])
        except psycopg.Error as error:
            if len(batch) == 1:
                logger.exception("Postgres refuses a decision")
                return [NotStorable("Postgres refuses the decision; nothing was stored.")]
            logger.warning("a batch is split, since Postgres refuses a row of it: %s", error)
        middle = len(batch) // 2
        return self.write(batch[:middle]) + self.write(batch[middle:])

    def is_at_hand(self) -> bool:
        """Whether `write_on_loop` has a connection that nobody uses and that need not be opened."""
        pool = self._engine.pool
        return isinstance(pool, CountingPool) and pool.is_at_hand()

    async def write_on_loop(
        self, decided: Decided, meanwhile: Callable[[], None] = idle
    ) -> Outcome:
        """Store one decision as `write` does, without blocking the running event loop.

        It blocks as long as opening a connection takes, unless one `is_at_hand`. What is not simply
        stored goes to a thread.
        """
        try:
            with driver_connection(self._engine) as connection:
                _, absent = await round_trip_on_loop(
                    connection, _STATEMENTS, storing([decided]), meanwhile
                )
                if not absent.ntuples:
                    return decided
                (outcome,) = await asyncio.to_thread(_outcomes, connection, [decided], [absent])
                return outcome
        except psycopg.Error:
            (outcome,) = await asyncio.to_thread(self.write, [decided], meanwhile)
            return outcome

    def write_whole(
        self,
        tenant_ids: Set[int],
        parts: Iterable[Sequence[Decided]],
        meanwhile: Callable[[], None] = idle,
        *,
        has_keys: bool,
    ) -> list[Decided]:
        """Store a batch of decisions whole or not at all.

        Args:
            tenant_ids: whose they are.
            parts: of the batch; each is stored while the next one is made. What they raise is
                passed on and nothing is stored; the keys of those before are in flight until
                Postgres notices that the line was closed.
            meanwhile: as for `write`, after the last part.
            has_keys: whether a transaction has an `external_id`.

        Returns:
            The decisions in order, each stored now or earlier under the same `external_id`.

        Raises:
            InvalidRequest: an `external_id` is in flight, or was used before with another body;
                names each row.
            NotStorable: Postgres refuses a row. Nothing is stored in either case.
            StoreUnavailable: as for `write`; all of it is stored or nothing.
        """
        made: list[Decided] = []
        calls = _storing_whole(tenant_ids, parts, made, has_keys=has_keys)
        try:
            with driver_connection(self._engine) as connection:
                results = round_trip(connection, _STATEMENTS, calls, meanwhile)
                outcomes = _outcomes(connection, made, results)
                errors = tuple(
                    FieldError(f"transactions.{i}.external_id", outcome.title)
                    for i, outcome in enumerate(outcomes)
                    if isinstance(outcome, SentinelError)
                )
                if errors:
                    raise InvalidRequest("Nothing was stored.", errors=errors)
                if has_keys:
                    connection.execute("COMMIT")
        except psycopg.Error as error:
            logger.exception("Postgres refuses a batch")
            raise NotStorable("Postgres refuses the batch; nothing was stored.") from error
        return [outcome for outcome in outcomes if isinstance(outcome, Decided)]


def storing(batch: Sequence[Decided]) -> list[Call]:
    """Return what stores a batch; the last one's result are the rows that were not stored."""
    tenants = joined({d.tenant_id for d in batch}).encode()
    return [(SET_TENANTS_FIRST, [tenants]), (INSERT, parameters(batch))]


def _storing_whole(
    tenant_ids: Set[int], parts: Iterable[Sequence[Decided]], made: list[Decided], *, has_keys: bool
) -> Iterator[Call]:
    # Without a key no row can be taken, so there is nothing to look at before the commit.
    if has_keys:
        yield BEGIN, ()
    yield SET_TENANTS_FIRST, [joined(tenant_ids).encode()]
    for part in parts:
        made += part
        yield INSERT, parameters(part)


def _outcomes(
    connection: PostgresConnection, batch: Sequence[Decided], results: Iterable[PGresult]
) -> list[Outcome]:
    """Say what became of each decision; asks Postgres again only where some were not stored.

    Args:
        connection: where they were stored.
        batch: the decisions.
        results: whose rows are those that were not stored, if they have any.
    """
    is_free = {
        UUID(bytes=absent.get_value(i, 0)): absent.get_value(i, 1) == _TRUE
        for absent in results
        if absent.nfields == _ABSENT_FIELDS
        for i in range(absent.ntuples)
    }
    if not is_free:
        return list(batch)
    taken = [d for d in batch if is_free.get(d.prediction_id)]
    earlier = _read_earlier(connection, taken) if taken else {}
    return [
        d
        if d.prediction_id not in is_free
        else _replay(d, earlier)
        if is_free[d.prediction_id]
        else _in_flight(d)
        for d in batch
    ]


def _read_earlier(
    connection: PostgresConnection, taken: Sequence[Decided]
) -> dict[tuple[int, str], tuple[bytes, Decided]]:
    keys = [d.tenant_id for d in taken], [d.transaction.external_id for d in taken]
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        connection.autocommit = True
    with connection.pipeline(), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(SET_TENANTS, [joined(set(keys[0]))], prepare=True)
        cursor.execute(REPLAY, keys, prepare=True)
        rows = cursor.fetchall()
    return {(r["tenant_id"], r["key"]): (r["body_digest"], decided_from(r)) for r in rows}


def _replay(
    decided: Decided, earlier: dict[tuple[int, str], tuple[bytes, Decided]]
) -> Decided | SentinelError:
    external_id = decided.transaction.external_id or ""
    known = earlier.get((decided.tenant_id, external_id))
    if known is None:  # its month has been dropped, and the key is about to be
        return _in_flight(decided)
    digest, stored = known
    if digest == body_digest(decided.transaction):
        return stored
    return IdempotencyMismatch(
        f"external_id {external_id!r} was used before with another transaction."
    )


def _in_flight(decided: Decided) -> InFlight:
    return InFlight(f"external_id {decided.transaction.external_id!r} is being decided; ask again.")
