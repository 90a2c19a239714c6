"""The models and the policy that decide a tenant's payments, resolved once a request."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from persistence.policies import TenantPolicy
from registry.client.base import RegisteredVersion
from scoring.errors import NoModel
from scoring.model.fraud_model import FraudModel
from scoring.model.sandbox import FIXED_TESTS, is_fixed
from scoring.policy import Policy
from scoring.prediction import ModelVersion
from scoring.transaction import Transaction

_FULL = 2.0**64


def is_canary(version: ModelVersion, percent: float, name_orig: str) -> bool:
    """Whether the challenger decides this account's payments.

    Args:
        version: the challenger. percent: its share of accounts, 0 (none) to 100 (all).
        name_orig: the account that pays.
    """
    key = f"{version.name}/{version.version}/{name_orig}".encode()
    place = int.from_bytes(blake2b(key).digest()[:8], "big") / _FULL * 100.0
    # The division rounds: the last 2^10 hashes come out as 100.
    return place < percent or percent >= 100.0


def percent_from(text: str) -> float:
    """Read the tag that sets the share.

    Raises:
        ValueError: it is not a number from 0 to 100; says so in a sentence.
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
    """What a tenant's row and its registered model's aliases say; holds no model in memory.

    Attributes:
        is_test: the tenant is in test mode.
        champion: the version in production, which passed its checks; or None.
        challenger: the version tried beside it; or None, as without a champion.
        canary_percent: the share of accounts that the challenger decides for, 0 to 100.
    """

    is_test: bool
    champion: RegisteredVersion | None
    challenger: RegisteredVersion | None
    canary_percent: float


@dataclass(frozen=True, slots=True)
class ModelAssignment:
    """Resolved once a request and carried by its item, so that no reply mixes two.

    Attributes:
        deployment: who should decide.
        champion: the production model; None only for a tenant in test mode that has none.
        canary: the challenger's model, where it decides for some accounts.
        policy: the tenant's own, which overrides the versions'; or None.
    """

    deployment: DeploymentState
    champion: FraudModel | None
    canary: FraudModel | None = None
    policy: TenantPolicy | None = None

    def is_fixed_test(self, transaction: Transaction) -> bool:
        """Whether the table of fixed tests answers, and no model."""
        return self.deployment.is_test and is_fixed(transaction)

    def decider(self, transaction: Transaction) -> FraudModel:
        """Return the model that decides a transaction which is no fixed test.

        Raises:
            NoModel: a tenant in test mode has none; names the transactions it can do with.
        """
        canary = self.canary
        if canary is not None and canary.version is not None:
            percent = self.deployment.canary_percent
            if is_canary(canary.version, percent, transaction.name_orig):
                return canary
        if self.champion is None:
            raise NoModel(
                "No model version is in production for this tenant; in test mode only the "
                f"transactions with nameOrig {', '.join(FIXED_TESTS)} are decided without one."
            )
        return self.champion

    def policy_over(self, model: FraudModel) -> Policy:
        """Return the policy in force for what a model scores."""
        own = self.policy.policy if self.policy else None
        return own or model.policy

    def shadow_of(self, decided_by: ModelVersion) -> RegisteredVersion | None:
        """Return the version that did not decide and is to score too; None without a challenger."""
        challenger = self.deployment.challenger
        if challenger is None:
            return None
        is_challengers = decided_by == ModelVersion(challenger.name, challenger.version)
        return self.deployment.champion if is_challengers else challenger
