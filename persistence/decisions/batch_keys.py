"""The idempotency key of a whole batch: claimed before its rows, kept in the same transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from struct import pack

import orjson
from psycopg.rows import dict_row

from persistence.decisions.insert_sql import (
    BEGIN,
    DECISIONS,
    SET_TENANTS_PREPARED,
)
from persistence.decisions.rows import Decided, canonical_form, decided_from
from persistence.idempotency import LOCK, KeyedRequest, check_digest, in_flight
from persistence.pipeline.binary_arrays import BIGINT_OID, TEXT_OID
from persistence.pipeline.libpq import Statement, round_trip
from persistence.raw_connection import PostgresConnection
from persistence.tenancy import joined
from scoring.event import AnyEvent

_CLAIM = Statement(
    b"claim_batch",
    b"SELECT " + LOCK.format(key="$1", tenant_id="$2").encode(),
    (TEXT_OID, BIGINT_OID),
)
_FIND = Statement(
    b"find_batch",
    b"SELECT FROM idempotent_requests WHERE key = $1 AND tenant_id = $2",
    (TEXT_OID, BIGINT_OID),
)
_DIGEST = "SELECT body_digest FROM idempotent_requests WHERE tenant_id = %s AND key = %s"
_KEEP = """
INSERT INTO idempotent_requests (tenant_id, key, body_digest, prediction_ids)
VALUES (%s, %s, %s, %s)
"""
_REPLAY = f"""
{DECISIONS}
FROM idempotent_requests r
CROSS JOIN LATERAL unnest(r.prediction_ids) WITH ORDINALITY AS kept (prediction_id, position)
LEFT JOIN predictions p ON (p.tenant_id, p.id) = (r.tenant_id, kept.prediction_id)
LEFT JOIN transactions t ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)
WHERE (r.tenant_id, r.key) = (%s, %s)
ORDER BY kept.position
"""
_TRUE = b"\1"


def batch_request(key: str, transactions: Sequence[AnyEvent]) -> KeyedRequest:
    """Return what identifies a batch with a key: the key, and a digest of all its rows."""
    rows = [(canonical_form(t), t.external_id) for t in transactions]
    return KeyedRequest(key, hashlib.sha256(orjson.dumps(["/score/batch", rows])).digest())


def claim_batch(
    connection: PostgresConnection,
    statements: Sequence[Statement],
    tenant_id: int,
    request: KeyedRequest,
) -> list[Decided] | None:
    """Begin a transaction that holds a batch's key; return what the key's first batch stored.

    Args:
        connection: connection without a transaction.
        statements: statements that the transaction goes on with. They are prepared here, since a
            repeated preparation would end the transaction.
        tenant_id: tenant of the batch.
        request: key and digest of the batch.

    Returns:
        The stored decisions, in the order of the batch; None where the key is new.

    Raises:
        InFlight: another transaction holds the key, or its decisions are being deleted.
        IdempotencyMismatch: the key was used before with another request.
    """
    key = [request.key.encode(), pack("!q", tenant_id)]
    tenants = [joined([tenant_id]).encode()]
    *_, claimed, found = round_trip(
        connection,
        (*statements, _CLAIM, _FIND),
        [(BEGIN, ()), (SET_TENANTS_PREPARED, tenants), (_CLAIM, key), (_FIND, key)],
    )
    if claimed.get_value(0, 0) != _TRUE:
        raise in_flight(request.key)
    if not found.ntuples:
        return None
    with connection.cursor(row_factory=dict_row) as cursor:
        parameters = (tenant_id, request.key)
        (kept,) = cursor.execute(_DIGEST, parameters).fetchall()
        check_digest(request, kept["body_digest"])
        rows = cursor.execute(_REPLAY, parameters).fetchall()
    connection.execute("COMMIT")
    # Their month has been dropped, and the key is about to be.
    if any(row["id"] is None for row in rows):
        raise in_flight(request.key)
    return [decided_from(row) for row in rows]


def keep_batch(
    connection: PostgresConnection, tenant_id: int, request: KeyedRequest, stored: Sequence[Decided]
) -> None:
    """Keep which decisions answer a batch's key, inside the transaction that claimed it."""
    ids = [decided.prediction_id for decided in stored]
    connection.execute(_KEEP, (tenant_id, request.key, request.digest, ids))
