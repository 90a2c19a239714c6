"""Requests that are carried out once for an idempotency key: the key, and the reply that is kept.

The key is claimed, the request carried out and its reply kept in one transaction: a crash before
the commit leaves nothing, and a crash after it leaves the reply for the next attempt. A reply is
kept for a request that succeeded; one that failed stored nothing and may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, Engine, insert, select, text

from persistence.actor import Actor
from persistence.tables.idempotency import IdempotentRequestRow
from persistence.tenancy import tenant_transaction
from scoring.errors import IdempotencyMismatch, InFlight

# The prefix keeps the lock apart from that of an external_id with the same text.
LOCK = "pg_try_advisory_xact_lock(hashtextextended('request ' || {key}, {tenant_id}))"
_LOCK = text("SELECT " + LOCK.format(key=":key", tenant_id=":tenant_id"))


class KeyedRequest(NamedTuple):
    """What identifies a request with an idempotency key within its tenant.

    Attributes:
        key: key of the Idempotency-Key header.
        digest: SHA-256 of all that a repeated request has to have in common with the first.
    """

    key: str
    digest: bytes


class Reply(NamedTuple):
    """The reply to a request that changed something.

    Attributes:
        status: HTTP status.
        body: JSON.
        is_replayed: whether an earlier request with the same key made the change.
    """

    status: int
    body: bytes
    is_replayed: bool = False


def write_once(
    engine: Engine,
    tenant_id: int,
    write: Callable[[Connection], Reply],
    *,
    actor: Actor,
    request: KeyedRequest | None,
) -> Reply:
    """Make a change and return its reply; for a key that was used before, the reply kept then.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rows change.
        write: function that makes the change inside a `tenant_transaction` and returns the reply;
            what it raises undoes the transaction.
        actor: API key that makes the change.
        request: key and digest of the request; None without a key.

    Raises:
        InFlight: the first request with the key is not committed yet.
        IdempotencyMismatch: the key was used before with another request.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        if request is None:
            return write(connection)
        lock = {"key": request.key, "tenant_id": tenant_id}
        if not connection.execute(_LOCK, lock).scalar_one():
            raise in_flight(request.key)
        kept = _kept(connection, tenant_id, request)
        if kept is not None:
            return kept
        reply = write(connection)
        values = {"tenant_id": tenant_id, "key": request.key, "body_digest": request.digest}
        connection.execute(
            insert(IdempotentRequestRow).values(**values, status=reply.status, reply=reply.body)
        )
        return reply


def check_digest(request: KeyedRequest, digest: bytes) -> None:
    """Raise IdempotencyMismatch unless a request with a key is the one that used it before."""
    if digest != request.digest:
        raise IdempotencyMismatch(
            f"Idempotency-Key {request.key!r} was used before with another request."
        )


def in_flight(key: str) -> InFlight:
    """Return the error of a request whose key another request holds."""
    return InFlight(
        f"The request with Idempotency-Key {key!r} is being carried out; send it again shortly."
    )


def _kept(connection: Connection, tenant_id: int, request: KeyedRequest) -> Reply | None:
    row = IdempotentRequestRow
    statement = select(row.body_digest, row.status, row.reply).where(
        row.tenant_id == tenant_id, row.key == request.key
    )
    kept = connection.execute(statement).one_or_none()
    if kept is None:
        return None
    check_digest(request, kept.body_digest)
    # A batch keeps no body, and no other request has the digest of a batch.
    return Reply(kept.status, bytes(kept.reply), is_replayed=True)
