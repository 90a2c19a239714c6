"""Serve a tenant that asks for four eyes only versions that a second person approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from persistence.deployments.approvals import ApprovedVersion
from persistence.tenants import Tenant
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.promoted_by import promoted_by
from registry.store.model_store import ModelStore, Versions
from scoring.model.approval import AWAITS_APPROVAL, is_second_person
from serving.deployment.assignment import DeploymentState
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder


class Gated(NamedTuple):
    """The versions that a tenant's approvals let through.

    Attributes:
        versions: champion and challenger.
        may_canary: whether the challenger may decide payments, if it has a canary share.
        fault: sentence on a version that waits for an approval, or None.
        waiting: sentence on why the version in production does not serve, where no other one does;
            else None.
    """

    versions: Versions
    may_canary: bool = True
    fault: str | None = None
    waiting: str | None = None


class ApprovalGate:
    """Compares the versions under the aliases with the approvals; used by one thread.

    Args:
        model_store: store that writes the reason of a refusal on the version in MLflow.
        recorder: recorder that reads the approvals, and the champions that tenants had.
        refused: recorder of the versions that wait.
    """

    def __init__(
        self, model_store: ModelStore, recorder: DeploymentRecorder, refused: RefusalRecorder
    ) -> None:
        self._model_store = model_store
        self._recorder = recorder
        self._refused = refused
        self._approvers: Mapping[int, Mapping[ApprovedVersion, frozenset[str]]] = {}
        self._wanted: dict[RegisteredVersion, str | None] = {}
        self._in_mlflow: dict[RegisteredVersion, str | None] = {}

    def begin(self, tenants: Sequence[Tenant]) -> None:
        """Read the approvals, before the versions of the tenants are compared with them.

        Raises:
            StoreUnavailable: Postgres cannot be reached.
        """
        self._wanted = {}
        if any(tenant.four_eyes for tenant in tenants):
            self._approvers = self._recorder.approvers()

    def gated(
        self,
        tenant: Tenant,
        aliased: Versions,
        canary_percent: float,
        now: DeploymentState | None,
    ) -> Gated:
        """Return the versions that may serve a tenant; refuse those that wait for an approval.

        While the version in production waits, the champion before it stays. A challenger only needs
        an approval to decide payments: in shadow it decides none.

        Args:
            tenant: tenant whose deployment it is.
            aliased: versions under the aliases of its registered model.
            canary_percent: share of accounts that the challenger would decide for, 0 to 100.
            now: versions that serve the tenant now; None without.

        Raises:
            RegistryUnavailable: the champion before is looked up in MLflow, which is unavailable.
        """
        if not tenant.four_eyes:
            return Gated(aliased)
        champion, challenger = aliased.production, aliased.challenger
        faults = []
        waiting = None
        if champion is not None and (reason := self._waits(tenant, champion)):
            before = self._recorder.champion_before(tenant.id, now)
            if before != champion:  # else it served before the tenant asked for approvals
                faults.append(self._refuse(tenant, champion, reason))
                waiting = None if before else f"{champion} does not serve yet. {reason}"
                champion = before
        may_canary = True
        if challenger and canary_percent > 0 and (reason := self._waits(tenant, challenger)):
            faults.append(self._refuse(tenant, challenger, reason))
            may_canary = False
        for version in filter(None, (aliased.production, challenger)):
            self._wanted.setdefault(version, None)
        fault = faults[0] if faults else None
        return Gated(Versions(champion, challenger), may_canary, fault, waiting)

    def write_reasons(self) -> None:
        """Put the reasons on the versions in MLflow, and remove those of approved versions.

        What MLflow does not take is tried again at the next call.
        """
        if self._model_store.unavailable is not None:
            return
        gone = {version: None for version, reason in self._in_mlflow.items() if reason}
        with suppress(RegistryUnavailable):
            for version, reason in (gone | self._wanted).items():
                if self._in_mlflow.get(version, _UNKNOWN) == reason:
                    continue
                if reason:
                    self._model_store.mark_refused(version, reason)
                else:
                    self._model_store.unmark_refused(version, AWAITS_APPROVAL)
                self._in_mlflow[version] = reason
        self._in_mlflow = {
            version: reason
            for version, reason in self._in_mlflow.items()
            if reason or version in self._wanted
        }

    def _waits(self, tenant: Tenant, version: RegisteredVersion) -> str | None:
        """Return why a version waits for an approval, or None."""
        approved = ApprovedVersion(version.name, version.version, version.created_ms)
        actors = self._approvers.get(tenant.id, {}).get(approved, frozenset())
        promoter = promoted_by(version)
        user = promoter.user if promoter else None
        if any(is_second_person(actor, user) for actor in actors):
            return None
        itself = f", since {user} promoted and approved it" if actors else ""
        return f"{AWAITS_APPROVAL}{itself}: POST /models/{version.version}/approve."

    def _refuse(self, tenant: Tenant, version: RegisteredVersion, reason: str) -> str:
        self._wanted[version] = reason
        self._refused.add_of_tenant(tenant.id, version, reason, awaits_approval=True)
        return f"version {version.version} is refused for tenant {tenant.slug}: {reason}"


_UNKNOWN = ""
"""Not the reason of any version, so that one that was never written is."""
