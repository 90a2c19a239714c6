"""Serve only versions whose features fit the event type of the tenant."""

from __future__ import annotations

from typing import NamedTuple

from persistence.tenants import Tenant
from registry.client.base import RegisteredVersion
from registry.store.model_store import ModelStore, Versions
from scoring.transaction import PAYSIM
from serving.deployment.assignment import DeploymentState
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings


class Fitting(NamedTuple):
    """The versions that may serve a tenant.

    Attributes:
        versions: champion and challenger, each of which fits the tenant's event type.
        fault: sentence on a version that does not, or None.
        misfit: sentence on why the version in production does not fit, where no other one serves;
            else None.
    """

    versions: Versions
    fault: str | None = None
    misfit: str | None = None


class EventTypeFit:
    """Compares model versions with event types, each pair once; used by one thread.

    Args:
        model_store: source of the models whose features are compared.
        settings: event types of the tenants.
        recorder: recorder of the champions that tenants had.
        refused: recorder of the versions that do not fit.
    """

    def __init__(
        self,
        model_store: ModelStore,
        settings: TenantSettings,
        recorder: DeploymentRecorder,
        refused: RefusalRecorder,
    ) -> None:
        self._model_store = model_store
        self._settings = settings
        self._recorder = recorder
        self._refused = refused
        self._misfits: dict[_Pair, str | None] = {}
        self._used: set[_Pair] = set()

    def fitting(self, tenant: Tenant, aliased: Versions, now: DeploymentState | None) -> Fitting:
        """Return the versions that may serve a tenant; refuse those that do not fit.

        While the version in production does not fit, the champion before it stays.

        Args:
            tenant: tenant whose deployment it is.
            aliased: versions under the aliases of its registered model.
            now: versions that serve the tenant now; None without.

        Raises:
            ModelRefused: a version was evicted and fails a check now.
            RegistryUnavailable: a version was evicted and MLflow cannot be reached.
            OSError: a version was evicted and the disk does not take it.
        """
        champion, challenger = aliased.production, aliased.challenger
        fault = misfit = None
        if champion is not None and (reason := self._misfit(champion, tenant)):
            fault = self._refuse(champion, tenant, reason)
            champion = self._champion_before(tenant, now)
            misfit = None if champion else reason
        if challenger is not None and (reason := self._misfit(challenger, tenant)):
            fault = fault or self._refuse(challenger, tenant, reason)
            challenger = None
        if challenger == champion:
            challenger = None
        return Fitting(Versions(champion, challenger), fault, misfit)

    def forget_unused(self) -> None:
        """Forget the pairs that were not asked for since the last call."""
        self._misfits = {
            pair: misfit for pair, misfit in self._misfits.items() if pair in self._used
        }
        self._used = set()

    def _misfit(self, version: RegisteredVersion, tenant: Tenant) -> str | None:
        validator = self._settings.validator(tenant.id)
        pair = (version, validator.type_id if validator else None)
        self._used.add(pair)
        if pair not in self._misfits:
            event_type = validator.event_type if validator else PAYSIM
            self._misfits[pair] = self._model_store.features(version).misfit(event_type)
        return self._misfits[pair]

    def _refuse(self, version: RegisteredVersion, tenant: Tenant, reason: str) -> str:
        self._refused.add_of_tenant(tenant.id, version, reason)
        return f"version {version.version} is refused for tenant {tenant.slug}: {reason}"

    def _champion_before(
        self, tenant: Tenant, now: DeploymentState | None
    ) -> RegisteredVersion | None:
        """Return the champion that a tenant had, if it fits its event type; else None."""
        champion = self._recorder.champion_before(tenant.id, now)
        if champion is None or self._misfit(champion, tenant) is not None:
            return None
        return champion


_Pair = tuple[RegisteredVersion, int | None]
"""A version, and the id of the stored event type that it is compared with; None for PaySim's."""
