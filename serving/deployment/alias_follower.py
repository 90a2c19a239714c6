"""Keep the model versions that serve each tenant current, in a background loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from anyio import CapacityLimiter, to_thread

from observability.background_loop import BackgroundLoop
from observability.metrics import MODELS_IN_MEMORY, SWAPS
from persistence.outage import Outage
from persistence.tenants import Tenant
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.names import CANARY_TAG
from registry.store.model_store import ModelStore, Versions
from scoring.errors import ModelRefused, NoModel, SentinelError
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.model.fraud_model import FraudModel
from scoring.tenant import TenantLimits
from serving.deployment.approval_gate import ApprovalGate
from serving.deployment.assignment import (
    DeploymentState,
    ModelAssignment,
    ModelMisfit,
    percent_from,
)
from serving.deployment.event_type_fit import EventTypeFit
from serving.deployment.faults import Faults, Retries
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings

logger = logging.getLogger("sentinel.serving")

LOADS_AT_ONCE = 8
"""Threads that reload evicted models, one a version; batches have threads of their own. A download
that hangs holds its thread."""


class AliasFollower:
    """The deployment of each tenant: read by every request, changed by the background loop.

    A tenant's deployment is one reference, replaced whole, and a request resolves it to an
    assignment once, so a request ends with the versions and the policy that it began with.

    Args:
        model_store: source of the versions behind the aliases, and of their models.
        recorder: recorder that reads the tenants from Postgres and stores the versions that serve
            them before they do.
        settings: policies and event types of the tenants.
        refused: recorder of refusals that are not yet stored in Postgres.
        poll_seconds: seconds between two polls of the aliases.
    """

    def __init__(
        self,
        model_store: ModelStore,
        recorder: DeploymentRecorder,
        settings: TenantSettings,
        refused: RefusalRecorder,
        poll_seconds: float,
    ) -> None:
        self._model_store = model_store
        self._recorder = recorder
        self._settings = settings
        self._refused = refused
        self._fit = EventTypeFit(model_store, settings, recorder, refused)
        self._gate = ApprovalGate(model_store, recorder, refused)
        self._misfits: Mapping[int, str] = {}
        self._deployments: dict[int, DeploymentState] = {}
        self._production: dict[str, RegisteredVersion] = {}
        self._live: dict[str, int] = {}
        self._journalling: frozenset[int] = frozenset()
        self._limits: Mapping[int, TenantLimits] = {}
        self._followed_at_s: float | None = None
        self._bad_shares: dict[str, str] = {}
        self._faults = Faults()
        self._deploying = Retries(recorder.tenants)
        self._refusing = Retries(recorder.tenants)
        self._reloads: dict[RegisteredVersion, asyncio.Future[FraudModel]] = {}
        self._unlisted = Outage(logger, "listing the tenants")
        self._unrecorded = Outage(logger, "recording the deployments")
        self._loading = CapacityLimiter(LOADS_AT_ONCE)
        self._loop = BackgroundLoop(
            "alias-follower",
            self.refresh,
            poll_seconds,
            logger=logger,
            task="following the aliases",
            # `start` calls it for the first time, so that the process begins with its models.
            runs_at_start=False,
        )

    async def assignment(self, tenant_id: int, event_type: EventType) -> ModelAssignment:
        """Return the models and policy that decide a request; reload evicted models.

        Args:
            tenant_id: tenant whose request it is.
            event_type: event type by which its events were validated. It may be newer than the
                deployment, so the models are compared with it once more.

        Raises:
            NoModel: the tenant is not in test mode and has no version under `production` that
                passed its checks and fits the event type; or that version was evicted and cannot
                be loaded again.
        """
        deployment = self._deployments.get(tenant_id)
        misfit = self._misfits.get(tenant_id)
        if deployment is None or (deployment.champion is None and not deployment.is_test):
            if misfit:
                raise ModelMisfit(misfit)
            raise NoModel("No model version is in production for this tenant; promote one.")
        champion = None if deployment.champion is None else await self._model(deployment.champion)
        if champion is not None and (misfit := champion.features.misfit(event_type)):
            champion = None
            if not deployment.is_test:
                raise ModelMisfit(misfit)
        canary = None
        if deployment.challenger is not None and deployment.canary_percent > 0:
            try:
                canary = await self._model(deployment.challenger)
            except NoModel:
                logger.warning(
                    "%s: the champion decides for its canary", deployment.challenger.name
                )
            if canary is not None and canary.features.misfit(event_type):
                canary = None
        policy, rules = self._settings.policy(tenant_id), self._settings.rules(tenant_id)
        return ModelAssignment(deployment, champion, canary, policy, rules, misfit)

    async def _model(self, version: RegisteredVersion) -> FraudModel:
        resident = self._model_store.resident(version)
        if resident is not None:
            return resident
        reload = self._reloads.get(version)
        if reload is None:
            load = to_thread.run_sync(self._model_store.load, version, limiter=self._loading)
            reload = self._reloads[version] = asyncio.ensure_future(load)
            reload.add_done_callback(partial(self._end_reload, version))
        try:
            # A caller who gives up must not cancel it for the others.
            return await asyncio.shield(reload)
        except (RegistryUnavailable, ModelRefused, OSError) as error:
            name = f"{version.name} version {version.version}"
            logger.warning("%s was evicted and cannot be loaded again: %s", name, error)
            raise NoModel(f"{name} is in production but cannot be loaded again.") from error

    def _end_reload(self, version: RegisteredVersion, reload: asyncio.Future[FraudModel]) -> None:
        del self._reloads[version]
        if not reload.cancelled():
            reload.exception()  # else asyncio warns where every caller has given up

    def validator(self, tenant_id: int) -> EventValidator | None:
        """Return the validator of the tenant's event type; None where it sends PaySim's."""
        return self._settings.validator(tenant_id)

    def refresh_settings(self, tenant_id: int) -> None:
        """Read the tenant's policy and event type after one of them was set.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the next poll reads them.
        """
        self._settings.refresh_tenant(tenant_id)

    def in_use(self) -> dict[str, int]:
        """Return the version in production by model name."""
        champions = [deployment.champion for deployment in list(self._deployments.values())]
        return {version.name: version.version for version in champions if version}

    def challengers(self) -> dict[str, int]:
        """Return the version of the challenger by model name."""
        challengers = [state.challenger for state in list(self._deployments.values())]
        return {version.name: version.version for version in challengers if version}

    def has_model(self) -> dict[str, bool]:
        """Return whether a version decides the tenant's payments, by slug of each live tenant."""
        return {slug: tenant_id in self._deployments for slug, tenant_id in self._live.items()}

    @property
    def followed_at_s(self) -> float | None:
        """Unix time of the last complete poll of tenants, policies and aliases; None before it."""
        return self._followed_at_s

    def journals(self, tenant_id: int) -> bool:
        """Whether the tenant's decisions are journalled while Postgres is away."""
        return tenant_id in self._journalling

    def limits(self, tenant_id: int) -> TenantLimits | None:
        """Return the limits of the tenant's payments a second, or None without any."""
        return self._limits.get(tenant_id)

    def can_journal(self) -> bool:
        """Whether some tenant whose payments can be decided chose the journal."""
        return not self._journalling.isdisjoint(self._deployments)

    def can_decide(self) -> bool:
        """Whether the payments of some tenant, or its test transactions, can be decided."""
        return bool(self._deployments)

    def start(self) -> None:
        """Poll every alias once, then start polling in the background."""
        self.refresh()
        self._settings.start()
        self._loop.start()

    def stop(self) -> None:
        """Stop following aliases and policies; wait for a poll that has begun."""
        self._loop.stop()
        self._settings.stop()

    @property
    def faults(self) -> Mapping[str, str]:
        """The registered models that cannot be followed now, and the reason of each."""
        return self._faults.by_model

    @property
    def registry_unavailable(self) -> str | None:
        """The reason why the aliases cannot be read at all, or None."""
        return self._model_store.unavailable

    def refresh(self) -> None:
        """Read every tenant, policy and alias once, and update the deployments that differ."""
        try:
            tenants = self._recorder.tenants()
            # Before any deployment, so that the tenant's own policy applies to its first score.
            self._settings.refresh()
        except SentinelError as error:
            self._unlisted.goes_on(str(error))
            return
        self._unlisted.is_over()
        self._journalling = frozenset(tenant.id for tenant in tenants if tenant.journal)
        self._limits = {tenant.id: tenant.limits for tenant in tenants if tenant.limits}
        versions_by_name = self._model_store.read_aliases({tenant.model_name for tenant in tenants})
        faults = dict(self._model_store.faults)
        for tenant in tenants:
            if reason := self._settings.unreadable.get(tenant.id):
                faults.setdefault(tenant.model_name, f"tenant {tenant.slug}: {reason}")
        try:
            self._gate.begin(tenants)
            self._deploy(tenants, versions_by_name, faults)
            self._gate.write_reasons()
            self._store_refusals(tenants, faults)
        except SentinelError as error:
            self._unrecorded.goes_on(str(error))
        else:
            self._unrecorded.is_over()
            if self.registry_unavailable is None:
                self._followed_at_s = time.time()
        for removed in self._deployments.keys() - {tenant.id for tenant in tenants}:
            del self._deployments[removed]
        self._live = {tenant.slug: tenant.id for tenant in tenants if not tenant.is_test}
        self._faults.update(faults)
        self._count_swaps()
        MODELS_IN_MEMORY.set(self._model_store.models_in_memory)

    def _deploy(
        self,
        tenants: Sequence[Tenant],
        versions_by_name: Mapping[str, Versions],
        faults: dict[str, str],
    ) -> None:
        shares = {
            name: self._share(versions.challenger) for name, versions in versions_by_name.items()
        }
        changed: dict[str, dict[int, DeploymentState]] = defaultdict(dict)
        misfits: dict[int, str] = {}
        for tenant in tenants:
            before = self._deployments.get(tenant.id)
            # Its payments are decided by its own policy and read by its own event type alone.
            if before is None and tenant.id in self._settings.unreadable:
                continue
            aliased, share = versions_by_name[tenant.model_name], shares[tenant.model_name]
            try:
                gated = self._gate.gated(tenant, aliased, share, before)
                versions, fault, misfit = self._fit.fitting(tenant, gated.versions, before)
            except (ModelRefused, RegistryUnavailable, OSError) as error:
                faults.setdefault(tenant.model_name, str(error))
                continue
            for found in filter(None, (gated.fault, fault)):
                faults.setdefault(tenant.model_name, found)
            if (reason := misfit or gated.waiting) is not None:
                misfits[tenant.id] = reason
            challenger = versions.challenger if versions.production else None
            if challenger is None or not gated.may_canary:
                share = 0.0
            deployment = DeploymentState(tenant.is_test, versions.production, challenger, share)
            if before != deployment:
                changed[tenant.model_name][tenant.id] = deployment
        self._misfits = misfits
        self._fit.forget_unused()
        self._deploying.forget_all_but(changed.keys())
        for name, deployments_by_tenant in changed.items():
            self._deploying.attempt(name, partial(self._deploy_each, deployments_by_tenant), faults)

    def _store_refusals(self, tenants: Sequence[Tenant], faults: dict[str, str]) -> None:
        pending = self._refused.pending()
        self._refusing.forget_all_but({refused.version.name for refused in pending})
        for refused, reason in pending.items():
            store = partial(self._refused.store, refused, reason, tenants)
            self._refusing.attempt(refused.version.name, store, faults)

    def _deploy_each(self, deployments_by_tenant: Mapping[int, DeploymentState]) -> None:
        """Record and serve the deployments of one name, together or else each by itself."""
        if len(deployments_by_tenant) > 1:
            with suppress(Exception):
                self._record_and_serve(deployments_by_tenant)
                return
            self._recorder.tenants()
        errors = []
        for tenant_id, deployment in deployments_by_tenant.items():
            try:
                self._record_and_serve({tenant_id: deployment})
            except Exception as error:  # noqa: BLE001 - raised below, after the other tenants
                errors.append(error)
        if errors:
            raise errors[0]

    def _record_and_serve(self, deployments_by_tenant: Mapping[int, DeploymentState]) -> None:
        tenants_by_champion: dict[RegisteredVersion, list[int]] = defaultdict(list)
        for tenant_id, deployment in deployments_by_tenant.items():
            if deployment.champion is not None:
                tenants_by_champion[deployment.champion].append(tenant_id)
        for champion, tenant_ids in tenants_by_champion.items():
            self._recorder.record_champions(tenant_ids, champion)
        for tenant_id, deployment in deployments_by_tenant.items():
            self._recorder.record(tenant_id, deployment)
            self._serve(tenant_id, deployment)

    def _serve(self, tenant_id: int, deployment: DeploymentState) -> None:
        if deployment.champion is None and not deployment.is_test:
            self._deployments.pop(tenant_id, None)
        else:
            self._deployments[tenant_id] = deployment

    def _share(self, challenger: RegisteredVersion | None) -> float:
        """Return the challenger's canary share in percent; 0 with one warning if it is invalid."""
        text = challenger.tags.get(CANARY_TAG) if challenger else None
        if challenger is None or text is None:
            return 0.0
        try:
            percent = percent_from(text)
        except ValueError as error:
            if self._bad_shares.get(challenger.name) != text:
                self._bad_shares[challenger.name] = text
                logger.warning(
                    "%s version %d decides for no account: %s",
                    challenger.name,
                    challenger.version,
                    error,
                )
            return 0.0
        self._bad_shares.pop(challenger.name, None)
        return percent

    def _count_swaps(self) -> None:
        champions = [deployment.champion for deployment in self._deployments.values()]
        production = {version.name: version for version in champions if version}
        for name, version in production.items():
            if self._production.get(name, version) != version:
                SWAPS.labels(model=name).inc()
        self._production |= production
