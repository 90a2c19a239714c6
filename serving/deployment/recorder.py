"""Record in Postgres which versions serve a tenant and which were refused."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Engine

from observability.metrics import REFUSALS
from persistence.actor import MLFLOW, Actor
from persistence.deployments.approvals import ApprovedVersion, approvers
from persistence.deployments.recording import (
    Promoter,
    RecordedDeployment,
    record_challenger,
    record_promotions,
    record_test_model,
    recorded_deployments,
)
from persistence.deployments.refusals import record_refusal
from persistence.tenants import Tenant, list_tenants
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.promoted_by import promoted_by
from registry.store.model_store import ModelStore
from scoring.prediction import ModelVersion
from serving.deployment.assignment import DeploymentState


class DeploymentRecorder:
    """Records the versions that serve each tenant; writes only what has changed.

    The first call reads every recorded deployment in one query, so a start with 500 unchanged
    tenants writes nothing. All processes share the rows; the first that sees a change writes it.

    Args:
        engine: database pool of the background work.
        model_store: source of the models whose versions are recorded.
    """

    def __init__(self, engine: Engine, model_store: ModelStore) -> None:
        self._engine = engine
        self._model_store = model_store
        self._recorded: dict[int, RecordedDeployment] = {}
        self._has_read = False
        self._test_tenants: set[int] = set()
        self._found: dict[ModelVersion, RegisteredVersion | None] = {}

    def tenants(self) -> list[Tenant]:
        """Return every tenant.

        Raises:
            StoreUnavailable: Postgres cannot be reached.
        """
        if not self._has_read:
            self._recorded = recorded_deployments(self._engine)
            self._has_read = True
        return list_tenants(self._engine)

    def approvers(self) -> Mapping[int, Mapping[ApprovedVersion, frozenset[str]]]:
        """Return who approved which version, by tenant, of the tenants that ask for approvals.

        Raises:
            StoreUnavailable: Postgres cannot be reached.
        """
        return approvers(self._engine)

    def champion_before(
        self, tenant_id: int, now: DeploymentState | None
    ) -> RegisteredVersion | None:
        """Return the champion that serves a tenant, or that served it before this process started.

        Args:
            tenant_id: tenant whose champion it is.
            now: versions that serve the tenant now; None without.

        Raises:
            RegistryUnavailable: an earlier release recorded it, and MLflow is unavailable.
        """
        if now is not None:
            return now.champion
        recorded = self._recorded.get(tenant_id, RecordedDeployment())
        champion = recorded.champion
        if champion is None:
            return None
        if champion not in self._found:
            try:
                self._found[champion] = self._model_store.find(champion.name, champion.version)
            except RegistryUnavailable:
                if recorded.registered_ms is None:
                    raise
                # Its files are on this disk, or it does not load either.
                return RegisteredVersion(champion.name, champion.version, recorded.registered_ms)
        found = self._found[champion]
        # Another registration may have the number, after the registered model was made again.
        is_same = found is not None and recorded.registered_ms in (None, found.created_ms)
        return found if is_same else None

    def record_champions(self, tenant_ids: Sequence[int], champion: RegisteredVersion) -> None:
        """Record the champion of tenants, so that their predictions can refer to it; idempotent.

        Args:
            tenant_ids: tenants that the champion serves.
            champion: version in production.

        Raises:
            StoreUnavailable: Postgres cannot be reached.
            ModelRefused: the version was evicted and fails a check now.
            RegistryUnavailable: the version was evicted and MLflow cannot be reached.
        """
        version = _model_version(champion)
        new = []
        for tenant_id in tenant_ids:
            recorded = self._recorded.get(tenant_id, RecordedDeployment())
            is_same = recorded.registered_ms in (None, champion.created_ms)
            if recorded.champion != version or not is_same:
                new.append(tenant_id)
        if new:
            record_promotions(
                self._engine,
                new,
                self._model_store.load(champion),
                _promoter(champion),
                champion.created_ms,
            )
            for tenant_id in new:
                recorded = self._recorded.get(tenant_id, RecordedDeployment())
                self._recorded[tenant_id] = replace(
                    recorded, champion=version, registered_ms=champion.created_ms
                )

    def record(self, tenant_id: int, deployment: DeploymentState) -> None:
        """Record a tenant's challenger, canary share and test model; idempotent.

        Args:
            tenant_id: tenant that is recorded.
            deployment: versions that serve the tenant.

        Raises:
            StoreUnavailable: Postgres cannot be reached.
            ModelRefused: the challenger was evicted and fails a check now.
            RegistryUnavailable: the challenger was evicted and MLflow cannot be reached.
        """
        if deployment.is_test and tenant_id not in self._test_tenants:
            record_test_model(self._engine, tenant_id)
            self._test_tenants.add(tenant_id)
        recorded = self._recorded.get(tenant_id, RecordedDeployment())
        current = replace(
            recorded,
            challenger=_model_version(deployment.challenger),
            canary_percent=deployment.canary_percent,
        )
        if current != recorded:
            challenger = (
                self._model_store.load(deployment.challenger) if deployment.challenger else None
            )
            record_challenger(self._engine, tenant_id, challenger, deployment.canary_percent)
            self._recorded[tenant_id] = current


def _model_version(version: RegisteredVersion | None) -> ModelVersion | None:
    return ModelVersion(version.name, version.version) if version else None


def _promoter(version: RegisteredVersion) -> Promoter | None:
    named = promoted_by(version)
    return Promoter(Actor(named.user, named.via or MLFLOW), named.at) if named else None


class Refused(NamedTuple):
    """A refused version.

    Attributes:
        version: version that was refused.
        tenant_id: tenant that it must not serve; None: it must not serve any tenant.
        awaits_approval: whether it failed no check, and a second person has to approve it.
    """

    version: RegisteredVersion
    tenant_id: int | None = None
    awaits_approval: bool = False


class RefusalRecorder:
    """Counts refusals of versions and keeps each one until it is stored in Postgres.

    Args:
        engine: database pool of the background work.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pending: dict[Refused, str] = {}
        self._of_tenants: set[Refused] = set()
        self._lock = threading.Lock()

    def add(self, version: RegisteredVersion, reason: str) -> None:
        """Count a refusal and keep it; the model store calls this once per refused version."""
        self._add(Refused(version), reason)

    def add_of_tenant(
        self,
        tenant_id: int,
        version: RegisteredVersion,
        reason: str,
        *,
        awaits_approval: bool = False,
    ) -> None:
        """Count and keep a refusal that concerns one tenant; the same one again changes nothing."""
        refused = Refused(version, tenant_id, awaits_approval)
        if refused not in self._of_tenants:
            self._of_tenants.add(refused)
            self._add(refused, reason)

    def _add(self, refused: Refused, reason: str) -> None:
        REFUSALS.labels(model=refused.version.name).inc()
        with self._lock:
            self._pending[refused] = reason

    def pending(self) -> dict[Refused, str]:
        """Return the refused versions that are not stored yet, with the reasons."""
        with self._lock:
            return dict(self._pending)

    def store(self, refused: Refused, reason: str, tenants: Sequence[Tenant]) -> None:
        """Store a pending refusal for every tenant that it concerns.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the refusal stays pending.
        """
        version = refused.version
        for tenant in tenants:
            if tenant.model_name == version.name and refused.tenant_id in (None, tenant.id):
                record_refusal(
                    self._engine,
                    tenant.id,
                    version.name,
                    version.version,
                    version.created_ms,
                    reason,
                    awaits_approval=refused.awaits_approval,
                )
        with self._lock:
            del self._pending[refused]
