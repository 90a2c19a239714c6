"""The proposal that waits for a second person, as the page of the thresholds shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Engine

from api.models.effective_policy import EffectivePolicy
from persistence.actor import Actor
from persistence.people.same_person import identity_of
from persistence.policy_proposals import (
    PolicyProposal,
    asks_for_second_person,
    latest_proposal,
    open_proposal,
)
from persistence.tenancy import tenant_transaction
from scoring.policy import Policy, Thresholds

Unit = Literal["score", "money", "share"]


@dataclass(frozen=True, slots=True)
class ChangedNumber:
    """A number that a proposal changes.

    Attributes:
        name: name of the number.
        unit: unit of its values.
        before: number when it was proposed; None: there is none.
        after: proposed number.
    """

    name: str
    unit: Unit
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the page knows of a second person.

    Attributes:
        four_eyes: whether a policy is in force only after a second person's approval.
        proposal: proposal that waits; None where none does.
        is_own: whether the person who looks at it proposed it.
        is_outdated: whether another policy, or version, is in force than what it is based on.
        changes: numbers that it changes.
        after: proposed thresholds; those of the version in production where it withdraws the
            tenant's own policy.
        latest: latest proposal, decided or not.
    """

    four_eyes: bool
    proposal: PolicyProposal | None = None
    is_own: bool = False
    is_outdated: bool = False
    changes: tuple[ChangedNumber, ...] = ()
    after: Thresholds | None = None
    latest: PolicyProposal | None = None

    @property
    def blocks(self) -> bool:
        """Whether nothing else can be proposed before it is decided."""
        return self.four_eyes and self.proposal is not None and not self.is_outdated


def read_waiting(
    engine: Engine, tenant_id: int, *, effective: EffectivePolicy, actor: Actor
) -> Waiting:
    """Return the proposal that waits.

    Args:
        engine: pool of connections.
        tenant_id: tenant of the person.
        effective: policy in force.
        actor: person who looks at it.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        four_eyes = asks_for_second_person(connection, tenant_id)
        proposal = open_proposal(connection, tenant_id)
        if proposal is None:
            return Waiting(four_eyes, latest=latest_proposal(connection, tenant_id))
        proposed_by = identity_of(connection, tenant_id, proposal.proposed_by)
        is_own = proposed_by.is_same_person(identity_of(connection, tenant_id, actor))
    production = effective.production
    after = proposal.policy or (production.policy if production else proposal.before)
    return Waiting(
        four_eyes,
        proposal,
        is_own=is_own,
        is_outdated=proposal.base != effective.base_of(proposal.policy),
        changes=changed_numbers(proposal.before, after),
        after=after.thresholds,
        latest=proposal,
    )


def changed_numbers(before: Policy, after: Policy) -> tuple[ChangedNumber, ...]:
    """Return the numbers in which two policies differ."""
    pairs = zip(_numbers(before), _numbers(after), strict=True)
    return tuple(
        ChangedNumber(name, unit, old, new)
        for (name, unit, old), (_, _, new) in pairs
        if old != new
    )


def _numbers(policy: Policy) -> tuple[tuple[str, Unit, float | None], ...]:
    costs, explore = policy.cost_model, policy.explore
    return (
        ("review_from", "score", policy.threshold),
        ("decline_from", "score", policy.decline_from),
        ("high_from", "score", policy.high_from),
        ("missed_fraud", "money", costs.missed_fraud),
        ("missed_share", "share", costs.missed_fraud_share),
        ("false_alarm", "money", costs.false_alarm),
        ("false_decline", "money", costs.declined_honest),
        ("explore_share", "share", explore.share if explore else None),
        ("explore_amount", "money", explore.max_amount if explore else None),
    )
