"""The models and the policy that decide a tenant's payments, resolved once a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b

from persistence.policies import TenantPolicy
from registry.client.base import RegisteredVersion
from scoring.errors import NoModel
from scoring.event import AnyEvent
from scoring.model.fraud_model import FraudModel
from scoring.model.rules_in_force import RulesInForce
from scoring.model.sandbox import FIXED_TESTS, is_fixed
from scoring.policy import Policy
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM

_FULL = 2.0**64


def is_canary(version: ModelVersion, percent: float, account: str) -> bool:
    """Whether the challenger decides an account's payments.

    The choice depends only on the arguments, so every process makes the same one, and an account
    in a share stays in every larger share.

    Args:
        version: version of the challenger.
        percent: share of accounts that the challenger decides for, 0 (none) to 100 (all).
        account: account that pays.
    """
    key = f"{version.name}/{version.version}/{account}".encode()
    position = int.from_bytes(blake2b(key).digest()[:8], "big") / _FULL * 100.0
    # The division rounds the last 2^10 hashes to 100.
    return position < percent or percent >= 100.0


def _canary_key(event: AnyEvent) -> str:
    """Return what decides whether an event is in the canary's share.

    The payer, so that one account's payments have one model; of an event type without payers the
    payee, and without both the whole event.
    """
    key = event.payer or event.payee
    return key if key is not None else json.dumps(event.document(), sort_keys=True)


def _no_model(event: AnyEvent) -> str:
    """Return why a tenant in test mode without a model has no decision for an event."""
    why = "No model version is in production for this tenant; in test mode "
    if event.event_type is not PAYSIM:
        return f"{why}no {event.event_type.name} is decided without one."
    fixed = ", ".join(FIXED_TESTS)
    return f"{why}only the transactions with nameOrig {fixed} are decided without one."


def percent_from(text: str) -> float:
    """Return the canary share of accounts, 0 to 100, that a tag sets.

    Raises:
        ValueError: the text is not a number from 0 to 100; the message quotes it.
    """
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0.0 <= percent <= 100.0:
        raise ValueError(f"the canary share {text[:40]!r} is not a number from 0 to 100")
    return percent


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """The versions that serve a tenant, by the aliases of its registered model; holds no model.

    Attributes:
        is_test: whether the tenant is in test mode.
        champion: version in production, which passed its checks, or None.
        challenger: version that is compared with the champion, or None; None without a champion.
        canary_percent: share of accounts that the challenger decides for, 0 to 100.
    """

    is_test: bool
    champion: RegisteredVersion | None
    challenger: RegisteredVersion | None
    canary_percent: float


class ModelMisfit(NoModel):
    """The version in production cannot score the tenant's events, until another one is."""


@dataclass(frozen=True, slots=True)
class ModelAssignment:
    """The loaded models and the policy that decide one request.

    It is resolved once a request and carried by the request's item, so the decisions of a reply
    never come from different deployments.

    Attributes:
        deployment: versions that serve the tenant.
        champion: production model; None only for a tenant in test mode that has none.
        canary: challenger's model when it decides for some accounts, else None.
        policy: tenant's own policy, which overrides the versions' policies, or None.
        rules: rules and lists in force, or None where nothing decides but the models.
        misfit: sentence on why the version in production cannot score the request's events, which
            leaves a tenant in test mode without champion; or None.
    """

    deployment: DeploymentState
    champion: FraudModel | None
    canary: FraudModel | None = None
    policy: TenantPolicy | None = None
    rules: RulesInForce | None = None
    misfit: str | None = None

    def is_fixed_test(self, event: AnyEvent) -> bool:
        """Whether the table of fixed tests decides an event, not a model."""
        return self.deployment.is_test and is_fixed(event)

    def decider(self, event: AnyEvent) -> FraudModel:
        """Return the model that decides an event that is no fixed test.

        Raises:
            NoModel: the tenant is in test mode and has no model; the message lists PaySim's
                transactions that are decided without one.
        """
        canary = self.canary
        if canary is not None and canary.version is not None:
            percent = self.deployment.canary_percent
            if is_canary(canary.version, percent, _canary_key(event)):
                return canary
        if self.champion is None:
            raise NoModel(self.misfit or _no_model(event))
        return self.champion

    def policy_for(self, model: FraudModel) -> Policy:
        """Return the policy that applies to a model's scores: the tenant's own or the model's."""
        tenant_policy = self.policy.policy if self.policy else None
        return tenant_policy or model.policy

    def shadow_version(self, decided_by: ModelVersion) -> RegisteredVersion | None:
        """Return the version that scores a decision in shadow; None without a challenger.

        Args:
            decided_by: version that decided; the other one of champion and challenger is returned.
        """
        challenger = self.deployment.challenger
        if challenger is None:
            return None
        challenger_decided = decided_by == ModelVersion(challenger.name, challenger.version)
        return self.deployment.champion if challenger_decided else challenger
