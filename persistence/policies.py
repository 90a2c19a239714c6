"""Tenants' own policies, and the notifications of new ones.

A policy is a row that nobody changes; the newest row is in force, and a row without a policy
withdraws the one before. A trigger sends the tenant's id to the channel CHANNEL when the row is
committed (migration 0003).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Engine, insert, select, text, true

from persistence.engine import transaction
from persistence.errors import translate_errors
from persistence.raw_connection import PostgresConnection
from persistence.tables.deployments import PolicyRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import see_all_tenants, tenant_transaction
from scoring.errors import NotFound, SentinelError, StoreUnavailable
from scoring.policy import Policy, policy_from_numbers

CHANNEL = "sentinel_policy"

_WAIT_S = 0.5
"""One wait for notifications; shorter than the silence after which a connection counts as gone, see
persistence/connection/timeout_connection.py."""
_LOCK = text("SELECT pg_advisory_xact_lock(:purpose, hashint8(:tenant_id))")
_LOCK_PURPOSE = 0x53E48
"""First number of the advisory locks of policies; maintenance has another one."""


@dataclass(frozen=True, slots=True)
class TenantPolicy:
    """A tenant's own policy.

    Attributes:
        id: number that grows from one to the next; a prediction names the one that decided it.
        policy: costs, threshold and bands; None where the tenant's policy was withdrawn, so that
            each version's own counts.
        actor: name of the API key, or of the person.
        created_at: time at which it came into force.
        reason: reason in the person's words, or None.
    """

    id: int
    policy: Policy | None
    actor: str
    created_at: datetime
    reason: str | None = None


class UnreadablePolicy(SentinelError):
    """A tenant's stored policy is not one of this release."""


_COLUMNS = (
    *(PolicyRow.id, PolicyRow.policy, PolicyRow.actor, PolicyRow.created_at),
    PolicyRow.reason,
)


def lock_policies(connection: Connection, tenant_id: int) -> None:
    """Keep other transactions that call this for the tenant waiting until this one ends.

    An advisory lock, because the service's role may read but not lock the tenant's row. Two tenants
    whose ids have the same hash wait for each other too.

    Args:
        connection: connection inside a transaction, which has not read the policy yet.
        tenant_id: tenant whose policy is about to change.
    """
    connection.execute(_LOCK, {"purpose": _LOCK_PURPOSE, "tenant_id": tenant_id})


def insert_policy(
    connection: Connection,
    tenant_id: int,
    policy: Policy | None,
    actor: str,
    reason: str | None = None,
) -> TenantPolicy:
    """Put a policy in force; triggers write the audit log and notify every listener.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose policy it is.
        policy: policy in force from now on; None withdraws the one before.
        actor: name of the API key, or of the person.
        reason: reason in the person's words, or None.
    """
    numbers = policy.as_numbers() if policy else None
    statement = (
        insert(PolicyRow)
        .values(tenant_id=tenant_id, policy=numbers, actor=actor, reason=reason)
        .returning(*_COLUMNS)
    )
    return _policy(*connection.execute(statement).one())


def current_policy(engine: Engine, tenant_id: int) -> TenantPolicy | None:
    """Return a tenant's newest row; None where there never was one."""
    with tenant_transaction(engine, tenant_id) as connection:
        return newest_policy(connection, tenant_id)


def newest_policy(connection: Connection, tenant_id: int) -> TenantPolicy | None:
    """Return what `current_policy` does, as part of a `tenant_transaction`."""
    statement = (
        select(*_COLUMNS)
        .where(PolicyRow.tenant_id == tenant_id)
        .order_by(PolicyRow.id.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return _policy(*row) if row else None


def read_policy(engine: Engine, tenant_id: int, policy_id: int) -> TenantPolicy:
    """Return one of a tenant's policies, in force or not.

    Raises:
        NotFound: there is none with that id.
    """
    statement = select(*_COLUMNS).where(PolicyRow.tenant_id == tenant_id, PolicyRow.id == policy_id)
    with tenant_transaction(engine, tenant_id) as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no policy {policy_id}.")
    return _policy(*row)


def current_policies(engine: Engine) -> dict[int, TenantPolicy | UnreadablePolicy]:
    """Return the policies in force by tenant, for all tenants that have one.

    A row that cannot be read is that tenant's UnreadablePolicy.
    """
    newest = (
        select(*_COLUMNS)
        .where(PolicyRow.tenant_id == TenantRow.id)
        .order_by(PolicyRow.id.desc())
        .limit(1)
        .lateral("newest")
    )
    statement = (
        select(TenantRow.id.label("tenant_id"), newest)
        .join(newest, true())
        .where(newest.c.policy.is_not(None))
    )
    with transaction(engine) as connection:
        see_all_tenants(connection)
        return {
            tenant_id: _policy_or_error(*row) for tenant_id, *row in connection.execute(statement)
        }


class PolicyChanges:
    """The policies that are set while a connection listens.

    Args:
        connection: connection that listens to CHANNEL.
    """

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection

    def wait(self, timeout_s: float) -> set[int]:
        """Return the tenants whose policy was set, as soon as there is one; none after a time-out.

        Args:
            timeout_s: longest wait, seconds.

        Raises:
            StoreUnavailable: the connection broke and notifications may be lost: listen again, then
                read `current_policies`.
        """
        deadline_s = monotonic() + timeout_s
        try:
            while True:
                left_s = deadline_s - monotonic()
                received = self._connection.notifies(timeout=min(left_s, _WAIT_S), stop_after=1)
                tenants = {int(notification.payload) for notification in received}
                if tenants or left_s <= _WAIT_S:
                    return tenants
        except psycopg.OperationalError as error:
            raise StoreUnavailable(
                "Postgres broke off while the service listened to it."
            ) from error


@contextmanager
def listen(engine: Engine) -> Iterator[PolicyChanges]:
    """Listen for policies until the block ends, on a connection that leaves the pool for good.

    Policies that were set before the block began are not among them: read `current_policies`
    inside it.

    Raises:
        StoreUnavailable: Postgres cannot be reached, or a pooler is between, behind which a
            connection has no session that could listen.
    """
    with translate_errors():
        pooled = engine.connect()
        connection = cast("PostgresConnection", pooled.connection.driver_connection)
        if connection.pooled_settings is not None:
            pooled.close()
            raise StoreUnavailable(
                "A pooler between Postgres and this process does not pass notifications on."
            )
        pooled.detach()
    try:
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        yield PolicyChanges(connection)
    except psycopg.OperationalError as error:
        raise StoreUnavailable("Postgres broke off while the service listened to it.") from error
    finally:
        pooled.close()


def _policy(
    id_: int,
    numbers: Mapping[str, Any] | None,
    actor: str,
    created_at: datetime,
    reason: str | None,
) -> TenantPolicy:
    try:
        policy = policy_from_numbers(numbers) if numbers else None
    except ValueError as error:
        raise UnreadablePolicy(f"The stored policy {id_} cannot be read: {error}.") from error
    return TenantPolicy(id_, policy, actor, created_at, reason)


def _policy_or_error(
    id_: int,
    numbers: Mapping[str, Any] | None,
    actor: str,
    created_at: datetime,
    reason: str | None,
) -> TenantPolicy | UnreadablePolicy:
    try:
        return _policy(id_, numbers, actor, created_at, reason)
    except UnreadablePolicy as error:
        return error
