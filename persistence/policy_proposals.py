"""Policies that wait for a second person, of tenants that ask for one; at most one waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Engine, func, insert, select, update

from persistence.actor import Actor
from persistence.tables.deployments import PolicyProposalRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound
from scoring.policy import Policy, policy_from_numbers

Status = Literal["open", "approved", "refused", "replaced"]
"""`replaced`: it was outdated when somebody proposed another policy."""


@dataclass(frozen=True, slots=True)
class PolicyProposal:
    """A policy that somebody proposed.

    Attributes:
        id: number in the tenant that grows from one to the next.
        policy: proposed policy; None: each version's own is to count again.
        base: `EffectivePolicy.base_of` it, when it was proposed.
        before: that policy.
        reason: reason in the person's words, or None.
        proposed_by: person or key that proposed it.
        proposed_at: time of the proposal.
        status: what became of it.
        decided_by: name of who approved or refused it, or proposed the one in its place.
        decided_at: time of that.
        note: words of who decided, or None.
        policy_id: number of the policy that its approval put in force.
    """

    id: int
    policy: Policy | None
    base: str
    before: Policy
    reason: str | None
    proposed_by: Actor
    proposed_at: datetime
    status: Status
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    policy_id: int | None

    @property
    def is_open(self) -> bool:
        """Whether it waits."""
        return self.status == "open"


@dataclass(frozen=True, slots=True)
class PolicyProposals:
    """A tenant's proposals.

    Attributes:
        four_eyes: whether a policy is in force only after a second person's approval.
        latest: latest proposals, the latest first; only the first may be open.
    """

    four_eyes: bool
    latest: list[PolicyProposal]


_ROW = PolicyProposalRow
_COLUMNS = (
    *(_ROW.id, _ROW.policy, _ROW.base, _ROW.before, _ROW.reason, _ROW.actor, _ROW.via),
    *(_ROW.created_at, _ROW.status, _ROW.decided_by, _ROW.decided_at, _ROW.note, _ROW.policy_id),
)


def asks_for_second_person(connection: Connection, tenant_id: int) -> bool:
    """Return whether a tenant's policies need a second person's approval."""
    statement = select(TenantRow.four_eyes_policy).where(TenantRow.id == tenant_id)
    return bool(connection.execute(statement).scalar_one())


def read_proposals(engine: Engine, tenant_id: int, limit: int) -> PolicyProposals:
    """Return a tenant's proposals, at most `limit` of them."""
    statement = (
        select(*_COLUMNS).where(_ROW.tenant_id == tenant_id).order_by(_ROW.id.desc()).limit(limit)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return PolicyProposals(
            asks_for_second_person(connection, tenant_id),
            [_proposal(*row) for row in connection.execute(statement)],
        )


def open_proposal(connection: Connection, tenant_id: int) -> PolicyProposal | None:
    """Return the proposal that waits; None where none does."""
    statement = select(*_COLUMNS).where(_ROW.tenant_id == tenant_id, _ROW.status == "open")
    row = connection.execute(statement).one_or_none()
    return _proposal(*row) if row else None


def latest_proposal(connection: Connection, tenant_id: int) -> PolicyProposal | None:
    """Return the latest proposal, decided or not; None where there never was one."""
    statement = (
        select(*_COLUMNS).where(_ROW.tenant_id == tenant_id).order_by(_ROW.id.desc()).limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return _proposal(*row) if row else None


def find_proposal(connection: Connection, tenant_id: int, proposal_id: int) -> PolicyProposal:
    """Return one of a tenant's proposals.

    Raises:
        NotFound: there is none with that id.
    """
    statement = select(*_COLUMNS).where(_ROW.tenant_id == tenant_id, _ROW.id == proposal_id)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no proposal {proposal_id}.")
    return _proposal(*row)


def insert_proposal(
    connection: Connection,
    tenant_id: int,
    policy: Policy | None,
    *,
    base: str,
    before: Policy,
    reason: str | None,
    actor: Actor,
) -> PolicyProposal:
    """Store a proposal; none may wait.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose policy it is to be.
        policy: proposed policy; None: each version's own.
        base: what distinguishes the policy in force, and what else it is based on.
        before: policy in force.
        reason: reason in the person's words, or None.
        actor: person or key that proposes it.
    """
    statement = (
        insert(_ROW)
        .values(
            tenant_id=tenant_id,
            policy=policy.as_numbers() if policy else None,
            base=base,
            before=before.as_numbers(),
            reason=reason,
            actor=actor.name,
            via=actor.via,
        )
        .returning(*_COLUMNS)
    )
    return _proposal(*connection.execute(statement).one())


def close_proposal(
    connection: Connection,
    tenant_id: int,
    proposal_id: int,
    status: Status,
    actor: Actor,
    *,
    note: str | None = None,
    policy_id: int | None = None,
) -> PolicyProposal:
    """Record what became of a proposal that waits.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant of the proposal.
        proposal_id: proposal.
        status: what becomes of it.
        actor: person or key that decides.
        note: words of who decides, or None.
        policy_id: policy that an approval put in force.
    """
    statement = (
        update(_ROW)
        .where(_ROW.tenant_id == tenant_id, _ROW.id == proposal_id, _ROW.status == "open")
        .values(
            status=status,
            decided_by=actor.name,
            decided_via=actor.via,
            decided_at=func.now(),
            note=note,
            policy_id=policy_id,
        )
        .returning(*_COLUMNS)
    )
    return _proposal(*connection.execute(statement).one())


def _proposal(
    id_: int,
    numbers: Mapping[str, Any] | None,
    base: str,
    before: Mapping[str, Any],
    reason: str | None,
    actor: str,
    via: str | None,
    created_at: datetime,
    status: str,
    decided_by: str | None,
    decided_at: datetime | None,
    note: str | None,
    policy_id: int | None,
) -> PolicyProposal:
    return PolicyProposal(
        id=id_,
        policy=policy_from_numbers(numbers) if numbers else None,
        base=base,
        before=policy_from_numbers(before),
        reason=reason,
        proposed_by=Actor(actor, via),
        proposed_at=created_at,
        status=cast("Status", status),
        decided_by=decided_by,
        decided_at=decided_at,
        note=note,
        policy_id=policy_id,
    )
