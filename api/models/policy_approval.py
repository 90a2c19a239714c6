"""The approval or refusal of a proposed policy, by another person than who proposed it."""

from __future__ import annotations

from sqlalchemy import Connection

from api.models.effective_policy import lock_deployment
from persistence.actor import Actor
from persistence.people.same_person import identity_of
from persistence.policies import insert_policy
from persistence.policy_proposals import PolicyProposal, close_proposal, find_proposal
from scoring.errors import PolicyChanged, ProposalDecided, SecondPersonNeeded


def approve_proposal(
    connection: Connection, tenant_id: int, proposal_id: int, actor: Actor, note: str | None
) -> PolicyProposal:
    """Put a proposed policy in force; repeated by the same actor, it changes nothing.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor, which has not read
            the policy yet.
        tenant_id: tenant of the proposal.
        proposal_id: proposal.
        actor: person or key that approves it.
        note: words of who approves, or None.

    Raises:
        NotFound: there is no such proposal.
        ProposalDecided: it was refused, replaced, or approved by somebody else.
        SecondPersonNeeded: the approver proposed it.
        PolicyChanged: another policy than the one that it is based on is in force, or of one that
            withdraws the tenant's own, another version is in production.
    """
    deployment = lock_deployment(connection, tenant_id)
    proposal = find_proposal(connection, tenant_id, proposal_id)
    if not proposal.is_open:
        return _decided(proposal, "approved", actor)
    proposed_by = identity_of(connection, tenant_id, proposal.proposed_by)
    if proposed_by.is_same_person(identity_of(connection, tenant_id, actor)):
        raise SecondPersonNeeded(
            f"{actor.name} is who proposed it, so somebody else has to approve it."
        )
    effective = deployment.effective_policy()
    if effective.base_of(proposal.policy) != proposal.base:
        what = f"{effective.actor} put another policy in force"
        if proposal.base.partition(" ")[0] == effective.key:
            what = "Another version, with other thresholds, went into production"
        raise PolicyChanged(
            f"{what} after proposal {proposal.id} was made, so it was not approved. Propose it"
            " again on the policy in force."
        )
    stored = insert_policy(connection, tenant_id, proposal.policy, actor.name, proposal.reason)
    return close_proposal(
        connection, tenant_id, proposal.id, "approved", actor, note=note, policy_id=stored.id
    )


def refuse_proposal(
    connection: Connection, tenant_id: int, proposal_id: int, actor: Actor, note: str | None
) -> PolicyProposal:
    """Refuse a proposal, or take one's own back; repeated by the same actor, it changes nothing.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor, which has not read
            the policy yet.
        tenant_id: tenant of the proposal.
        proposal_id: proposal.
        actor: person or key that refuses it.
        note: words of who refuses, or None.

    Raises:
        NotFound: there is no such proposal.
        ProposalDecided: it was approved, replaced, or refused by somebody else.
    """
    lock_deployment(connection, tenant_id)
    proposal = find_proposal(connection, tenant_id, proposal_id)
    if not proposal.is_open:
        return _decided(proposal, "refused", actor)
    return close_proposal(connection, tenant_id, proposal.id, "refused", actor, note=note)


def _decided(proposal: PolicyProposal, status: str, actor: Actor) -> PolicyProposal:
    """Return a decided proposal to who decided it the same way before.

    Raises:
        ProposalDecided: it was decided otherwise, or by somebody else.
    """
    if (proposal.status, proposal.decided_by) == (status, actor.name):
        return proposal
    raise ProposalDecided(
        f"Proposal {proposal.id} was {proposal.status} by {proposal.decided_by} already."
    )
