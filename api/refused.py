"""Refused model versions: counted at once, noted for each tenant as soon as Postgres takes it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy import Engine

from api.metrics import REFUSALS
from persistence.deployments import record_refusal
from persistence.tenants import Tenant
from registry.client.base import RegisteredVersion


class RefusalNotes:
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
