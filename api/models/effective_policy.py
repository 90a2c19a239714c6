"""The policy in force for a tenant: its own, or that of its production version; and its changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from persistence.actor import Actor
from persistence.deployments.served_versions import ServedVersion, served_versions
from persistence.policies import TenantPolicy, insert_policy, lock_policies, newest_policy
from persistence.policy_proposals import (
    PolicyProposal,
    asks_for_second_person,
    close_proposal,
    insert_proposal,
    open_proposal,
)
from persistence.tenancy import tenant_transaction
from scoring.errors import NoModel, ProposalWaits
from scoring.policy import Policy


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """The policy that decides from now on.

    Attributes:
        policy: costs, threshold and bands.
        id: number of the tenant's own policy; None where the production version's own is in force.
        since: time at which it came into force.
        actor: who put it in force, as the audit log names it.
        production: version in production, if any.
        reason: reason of the tenant's own policy in the person's words, or None.
    """

    policy: Policy
    id: int | None
    since: datetime
    actor: str
    production: ServedVersion | None
    reason: str | None = None

    @property
    def key(self) -> str:
        """What distinguishes the policy in force from the one before it."""
        if self.id is not None:
            return str(self.id)
        model = self.production.model if self.production else None
        return f"{model.name}/{model.version}" if model else ""

    def base_of(self, policy: Policy | None) -> str:
        """Return what a proposal is based on: whatever else may not change before its approval.

        Args:
            policy: proposed policy; None withdraws the tenant's own, so that thresholds of the
                version in production come into force: they are those that the approver sees only
                as long as that version stays.
        """
        if policy is not None or self.id is None or self.production is None:
            return self.key
        model = self.production.model
        return f"{self.key} {model.name}/{model.version}"


@dataclass(frozen=True, slots=True)
class TenantDeployment:
    """A tenant's versions and policy.

    Attributes:
        versions: versions that have served, the latest to come first.
        newest_policy: newest row of the tenant's own policy, which may withdraw the one before;
            None where there is none.
    """

    versions: list[ServedVersion]
    newest_policy: TenantPolicy | None

    @property
    def production(self) -> ServedVersion | None:
        """The version in production."""
        return next((v for v in self.versions if v.production_since), None)

    @property
    def challenger(self) -> ServedVersion | None:
        """The version that scores beside it."""
        return next((v for v in self.versions if v.challenger_since), None)

    @property
    def own_policy(self) -> Policy | None:
        """The tenant's own policy; None where each version's own is in force."""
        return self.newest_policy.policy if self.newest_policy else None

    def effective_policy(self) -> EffectivePolicy:
        """Return the policy in force.

        Raises:
            NoModel: the tenant has neither a policy of its own nor a production version.
        """
        newest, production = self.newest_policy, self.production
        if newest and newest.policy:
            return EffectivePolicy(
                newest.policy,
                newest.id,
                newest.created_at,
                newest.actor,
                production,
                newest.reason,
            )
        if production is None or not (production.production_since and production.promoted_by):
            raise NoModel("No model version is in production for this tenant; promote one.")
        since, actor = production.production_since, production.promoted_by
        if newest and newest.created_at > since:
            since, actor = newest.created_at, newest.actor
        return EffectivePolicy(production.policy, None, since, actor, production)


def read_deployment(engine: Engine, tenant_id: int) -> TenantDeployment:
    """Return a tenant's versions and policy as they are now."""
    with tenant_transaction(engine, tenant_id) as connection:
        return _deployment(connection, tenant_id)


def change_policy(
    connection: Connection,
    tenant_id: int,
    change: Callable[[TenantDeployment], Policy | None],
    actor: Actor,
    reason: str | None = None,
) -> TenantDeployment | PolicyProposal:
    """Replace a tenant's own policy and return what is in force then, or propose it.

    Changes of one tenant's policy wait for each other, so that each is applied to the outcome of
    the one before and two that change different numbers both count. A change to what is there
    already stores nothing.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor, which has not read
            the policy yet.
        tenant_id: tenant whose policy changes.
        change: function of what is in force that returns the tenant's own policy from now on, or
            None to withdraw it; what it raises undoes the transaction.
        actor: API key, or person, that changes it.
        reason: reason in the person's words, or None.

    Returns:
        What is in force; of a tenant that asks for a second person's approval the proposal.

    Raises:
        ProposalWaits: somebody else's proposal, or another one, waits.
    """
    deployment = lock_deployment(connection, tenant_id)
    policy = change(deployment)
    if policy == deployment.own_policy:
        return deployment
    if asks_for_second_person(connection, tenant_id):
        return _propose(connection, tenant_id, deployment, policy, actor, reason)
    stored = insert_policy(connection, tenant_id, policy, actor.name, reason)
    return replace(deployment, newest_policy=stored)


def lock_deployment(connection: Connection, tenant_id: int) -> TenantDeployment:
    """Return what is in force for a tenant, which no other transaction changes until this one ends.

    Args:
        connection: connection inside a `tenant_transaction`, which has not read the policy yet.
        tenant_id: tenant whose policy is about to change.
    """
    lock_policies(connection, tenant_id)
    return _deployment(connection, tenant_id)


def _propose(
    connection: Connection,
    tenant_id: int,
    deployment: TenantDeployment,
    policy: Policy | None,
    actor: Actor,
    reason: str | None,
) -> PolicyProposal:
    effective = deployment.effective_policy()
    if policy is None:
        replace(deployment, newest_policy=None).effective_policy()  # there has to be one
    waiting = open_proposal(connection, tenant_id)
    if waiting is not None and waiting.base == effective.base_of(waiting.policy):
        # A form, or a request without a key, may be sent twice. Another reason is another request.
        if (waiting.policy, waiting.reason, waiting.proposed_by) == (policy, reason, actor):
            return waiting
        raise ProposalWaits(
            f"Proposal {waiting.id} of {waiting.proposed_by.name} waits for a second person; it has"
            " to be approved or refused first."
        )
    if waiting is not None:
        close_proposal(connection, tenant_id, waiting.id, "replaced", actor)
    return insert_proposal(
        connection, tenant_id, policy, base=effective.base_of(policy), before=effective.policy,
        reason=reason, actor=actor,
    )  # fmt: skip


def _deployment(connection: Connection, tenant_id: int) -> TenantDeployment:
    return TenantDeployment(
        versions=served_versions(connection, tenant_id),
        newest_policy=newest_policy(connection, tenant_id),
    )
