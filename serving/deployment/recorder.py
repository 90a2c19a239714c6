"""Record in Postgres which versions serve a tenant and which were refused."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine

from observability.metrics import REFUSALS
from persistence.deployments import (
    RecordedDeployment,
    record_challenger,
    record_promotions,
    record_refusal,
    record_test_model,
    recorded_deployments,
)
from persistence.tenants import Tenant, list_tenants
from registry.client.base import RegisteredVersion
from registry.store.model_store import ModelStore
from scoring.prediction import ModelVersion
from serving.deployment.assignment import DeploymentState


class DeploymentRecorder:
    """Notes who serves a tenant, and only what has changed since it was noted last.

    A process that starts reads in one query what is noted: with 500 tenants it need not write
    anything. The rows are those of all processes, and whoever sees a change first writes it.
    """

    def __init__(self, engine: Engine, model_store: ModelStore) -> None:
        self._engine = engine
        self._model_store = model_store
        self._noted: dict[int, RecordedDeployment] = {}
        self._has_read = False
        self._test_tenants: set[int] = set()

    def tenants(self) -> list[Tenant]:
        """Return every tenant.

        Raises:
            StoreUnavailable: Postgres is away.
        """
        if not self._has_read:
            self._noted = recorded_deployments(self._engine)
            self._has_read = True
        return list_tenants(self._engine)

    def record_champions(self, tenant_ids: Sequence[int], champion: RegisteredVersion) -> None:
        """Let predictions of tenants refer to their champion; what is noted already is not again.

        Raises:
            StoreUnavailable: Postgres is away.
            ModelRefused, RegistryUnavailable: the version was evicted and cannot be loaded again.
        """
        named = _named(champion)
        new = [i for i in tenant_ids if self._noted.get(i, RecordedDeployment()).champion != named]
        if new:
            record_promotions(self._engine, new, self._model_store.load(champion))
            for tenant_id in new:
                noted = self._noted.get(tenant_id, RecordedDeployment())
                self._noted[tenant_id] = replace(noted, champion=named)

    def record(self, tenant_id: int, deployment: DeploymentState) -> None:
        """Let predictions of a tenant refer to whoever else has a seat; idempotent.

        Raises:
            StoreUnavailable: Postgres is away.
            ModelRefused, RegistryUnavailable: a version that was evicted cannot be loaded again.
        """
        if deployment.is_test and tenant_id not in self._test_tenants:
            record_test_model(self._engine, tenant_id)
            self._test_tenants.add(tenant_id)
        noted = self._noted.get(tenant_id, RecordedDeployment())
        now = replace(
            noted,
            challenger=_named(deployment.challenger),
            canary_percent=deployment.canary_percent,
        )
        if now != noted:
            challenger = (
                self._model_store.load(deployment.challenger) if deployment.challenger else None
            )
            record_challenger(self._engine, tenant_id, challenger, deployment.canary_percent)
            self._noted[tenant_id] = now


def _named(version: RegisteredVersion | None) -> ModelVersion | None:
    return ModelVersion(version.name, version.version) if version else None


class RefusalRecorder:
    """Refusals that Postgres has not yet; kept until it does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pending: dict[RegisteredVersion, str] = {}
        self._lock = threading.Lock()

    def add(self, version: RegisteredVersion, reason: str) -> None:
        """Count a refusal; called once a version by whoever met it."""
        REFUSALS.labels(model=version.name).inc()
        with self._lock:
            self._pending[version] = reason

    def deliver(self, tenants: Sequence[Tenant]) -> None:
        """Note each refusal for every tenant that the registered model serves.

        Raises:
            StoreUnavailable: Postgres is away; what it has not taken is kept for the next time.
        """
        with self._lock:
            pending = list(self._pending.items())
        for version, reason in pending:
            for tenant in tenants:
                if tenant.model_name == version.name:
                    record_refusal(
                        self._engine,
                        tenant.id,
                        version.name,
                        version.version,
                        version.created_ms,
                        reason,
                    )
            with self._lock:
                del self._pending[version]
