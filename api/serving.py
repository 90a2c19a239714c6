"""Which model serves which tenant, kept current by one thread a process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from persistence.tenants import Tenant
from registry.shelf import Shelf
from scoring.errors import NoModel, SentinelError
from scoring.model import FraudModel

logger = logging.getLogger("sentinel.serving")


class TenantModels:
    """The serving model of each tenant: read by every request, replaced by the follower.

    A tenant's model is one reference, replaced whole, so a batch that has begun keeps the version
    it began with and a reply never mixes two.

    Args:
        shelf: gives a registered model's production version.
        tenants: asks the database for every tenant.
        record: notes in the database that a version serves a tenant, before it does.
        poll_seconds: how long between two looks at the aliases.
    """

    def __init__(
        self,
        shelf: Shelf,
        tenants: Callable[[], Sequence[Tenant]],
        record: Callable[[int, FraudModel], None],
        poll_seconds: float,
    ) -> None:
        self._shelf = shelf
        self._tenants = tenants
        self._record = record
        self._poll_seconds = poll_seconds
        self._models: dict[int, FraudModel] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="alias-follower", daemon=True)

    def serving(self, tenant_id: int) -> FraudModel:
        """Return the tenant's production model.

        Raises:
            NoModel: the tenant has no version under `production` that passed its checks.
        """
        model = self._models.get(tenant_id)
        if model is None:
            raise NoModel("No model version is in production for this tenant; promote one.")
        return model

    def in_use(self) -> dict[str, int]:
        """Return the version in use by model name."""
        return {m.version.name: m.version.version for m in self._models.values() if m.version}

    def start(self) -> None:
        """Look at every alias once, then keep following in the background."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the follower; waits for a look that has begun."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Look at every tenant's alias once, and swap what has moved."""
        try:
            tenants = self._tenants()
        except SentinelError as error:
            logger.warning("tenants cannot be listed: %s", error.detail)
            return
        current = {name: self._shelf.current(name) for name in {t.model_name for t in tenants}}
        for tenant in tenants:
            self._assign(tenant, current[tenant.model_name])
        for gone in self._models.keys() - {t.id for t in tenants}:
            del self._models[gone]

    def _assign(self, tenant: Tenant, model: FraudModel | None) -> None:
        if model is None:
            self._models.pop(tenant.id, None)
        elif self._models.get(tenant.id) is not model:
            try:
                self._record(tenant.id, model)
            except SentinelError as error:
                logger.warning("a version cannot be recorded yet: %s", error.detail)
                return
            self._models[tenant.id] = model

    def _follow(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception:
                # The follower outlives what it did not foresee: a dead one would pin a version.
                logger.exception("following the aliases failed; trying again")
