"""Where a tenant stands: the versions that serve it, and the policy in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from persistence.deployments import MLFLOW_ACTOR, ServedVersion, served_versions
from persistence.policies import TenantPolicy, current_policy
from scoring.errors import NoModel
from scoring.policy import Policy


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """What decides from now on.

    Attributes:
        policy: the numbers.
        id: of the tenant's own policy; None where the production version's own is in force.
        since, actor: when it came into force, and through whom.
        production: the version in production, if any.
    """

    policy: Policy
    id: int | None
    since: datetime
    actor: str
    production: ServedVersion | None


@dataclass(frozen=True, slots=True)
class TenantDeployment:
    """A tenant's versions and policy.

    Attributes:
        versions: that have served, the latest to come first.
        set_policy: the tenant's latest word on its policy, be it a withdrawal; None where there is
            none.
    """

    versions: list[ServedVersion]
    set_policy: TenantPolicy | None

    @property
    def production(self) -> ServedVersion | None:
        """The version in production."""
        return next((v for v in self.versions if v.production_since), None)

    @property
    def challenger(self) -> ServedVersion | None:
        """The version that scores beside it."""
        return next((v for v in self.versions if v.challenger_since), None)

    @property
    def has_own_policy(self) -> bool:
        """Whether the tenant's own policy is in force."""
        return self.set_policy is not None and self.set_policy.policy is not None

    def in_force(self) -> PolicyInForce:
        """Return the policy in force.

        Raises:
            NoModel: the tenant has neither a policy of its own nor a production version.
        """
        said, production = self.set_policy, self.production
        if said and said.policy:
            return PolicyInForce(said.policy, said.id, said.created_at, said.actor, production)
        if production is None or production.production_since is None:
            raise NoModel("No model version is in production for this tenant; promote one.")
        since, actor = production.production_since, MLFLOW_ACTOR
        if said and said.created_at > since:
            since, actor = said.created_at, said.actor
        return PolicyInForce(production.policy, None, since, actor, production)


def read_deployment(engine: Engine, tenant_id: int) -> TenantDeployment:
    """Return where a tenant stands now."""
    return TenantDeployment(served_versions(engine, tenant_id), current_policy(engine, tenant_id))
