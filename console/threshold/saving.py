"""The save of proposed thresholds: one transaction, and only over the policy that was seen."""

from __future__ import annotations

from sqlalchemy import Engine

from api.models.effective_policy import TenantDeployment, change_policy
from console.threshold.proposal import propose
from persistence.actor import Actor
from persistence.policy_proposals import PolicyProposal
from persistence.tenancy import tenant_transaction
from scoring.policy import Policy
from web.invalid_fields import invalid_fields


class PolicyMoved(Exception):
    """Another policy came into force since the person saw it."""


def save_thresholds(
    engine: Engine,
    tenant_id: int,
    *,
    review_from: str,
    decline_from: str,
    seen: str,
    reason: str,
    actor: Actor,
) -> TenantDeployment | PolicyProposal:
    """Put thresholds in force and return what is in force then, or propose them.

    Thresholds that are in force already store nothing, so that a form may be sent twice.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose policy changes.
        review_from: percentage from which the model reviews.
        decline_from: percentage from which it declines; empty: it never does.
        seen: `EffectivePolicy.key` of the policy that the person saw.
        reason: why, in the person's words.
        actor: person who changes it.

    Raises:
        NoModel: no policy is in force.
        InvalidRequest: a threshold is not valid; names the field.
        PolicyMoved: another policy is in force than the person saw.
        ProposalWaits: the tenant asks for a second person, and another proposal waits.
    """

    def change(deployment: TenantDeployment) -> Policy | None:
        effective = deployment.effective_policy()
        proposal = propose(effective.policy, review_from, decline_from)
        if proposal.policy is None:
            raise invalid_fields([((name,), "is not a threshold") for name in proposal.problems])
        if proposal.policy == effective.policy:
            return deployment.own_policy
        if effective.key != seen:
            raise PolicyMoved
        return proposal.policy

    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        return change_policy(connection, tenant_id, change, actor, reason)
