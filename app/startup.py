"""The composition root: creates the parts of a process and connects them to each other."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import time_ns

from sqlalchemy import Engine

from api.dependencies import API_CONNECTIONS, ApiDependencies
from api.pagination import Cursors
from console.overview.folder import HourFolder
from observability.database_metrics import DatabaseMetrics
from observability.deployment_metrics import DeploymentMetrics
from observability.drift_metrics import DriftMetrics
from observability.journal_metrics import JournalMetrics
from observability.metrics import EVICTIONS
from observability.prepared_metrics import PreparedMetrics
from observability.runtime_metrics import LiveMetrics
from observability.tracing import Traces
from persistence.api_keys import KeyIssuer, Principal, verify_key
from persistence.circuit import Circuit
from persistence.connection.probe import look
from persistence.decisions.shadow_scores import ShadowLog
from persistence.decisions.writer import DecisionLog
from persistence.engine import POOL_SIZE, open_database
from persistence.journal.drainer import Drainer
from persistence.journal.journal import open_journal
from persistence.journal.log import JournalledLog
from persistence.tenancy import SERVICE_ROLE
from registry.client.address import browser_address
from registry.client.factory import open_registry
from registry.store.model_store import ModelStore
from scoring.errors import StoreUnavailable
from scoring.model.booster_locks import BoosterLocks
from serving.batching.batch_scorer import BatchScorer
from serving.batching.inline_scorer import InlineScorer
from serving.batching.predictor import Predictor
from serving.deployment.alias_follower import AliasFollower
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings
from serving.health import StoreChecks
from serving.history import History
from serving.history_folder import HistoryFolder
from serving.prepared_entities import PreparedEntities
from serving.shadow import ShadowScorer
from serving.store_watcher import StoreWatcher
from serving.uploads.runner import UploadRunner, assigner
from web.auth import Authenticator
from web.client_address import Network
from web.openid import OpenIdProvider

BACKGROUND_CONNECTIONS = 3
"""Connections for aliases, policies, shadow scores, metrics, figures and uploads, for which no
payment waits."""

JOURNAL_CONNECTIONS = 1
"""Connections that look whether Postgres is back, and drain the journal; closed otherwise."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the routes of a connected process need.

    Attributes:
        engine: database pool of the payment path.
        auth: verifier of API keys.
        alias_follower: source of the models and the policy that serve each tenant.
        log: decision log of the payment path.
        store_checks: checks of Postgres and of the journal.
        batch_scorer: scorer of batches.
        inline_scorer: scorer of single items on the event loop.
        api: what the management routes need.
        metrics: metrics that are read at each scrape.
    """

    engine: Engine
    auth: Authenticator
    alias_follower: AliasFollower
    log: JournalledLog
    store_checks: StoreChecks
    batch_scorer: BatchScorer
    inline_scorer: InlineScorer
    api: ApiDependencies
    metrics: LiveMetrics


def connect(
    stack: ExitStack,
    *,
    database_url: str,
    tracking_uri: str,
    model_cache: Path,
    key_secrets: Sequence[bytes],
    models_in_memory: int,
    poll_seconds: float,
    traces: Traces,
    openid: tuple[str, str, str, str] | None = None,
    public_url: str | None = None,
    mlflow_public_url: str | None = None,
    proxies: Sequence[Network] | None = None,
    clock: Callable[[], int] = time_ns,
    journal_dir: Path,
    journal_max_bytes: int,
    journal_key_seconds: float,
) -> Dependencies:
    """Connect to Postgres and MLflow, load the production models and start the background loops.

    Args:
        stack: stack that stops every part in order; closed after the last request is answered.
        database_url: address of Postgres.
        tracking_uri: address of MLflow.
        model_cache: folder that keeps model versions on disk.
        key_secrets: secrets of the API keys' hashes and of the cursors that are valid; new ones
            use the first.
        models_in_memory: number of different models that stay in memory.
        poll_seconds: seconds between two reads of the aliases.
        traces: tracer of the process.
        openid: issuer, client id, client secret and name of the provider at which people may sign
            in; None: with passwords only.
        public_url: address at which people open the console; None: that of each request.
        mlflow_public_url: address at which people open MLflow; None: `tracking_uri`, if
            it is on this machine.
        proxies: networks of the proxies in front of the service; None: they are not known.
        clock: function that returns the time of a decision, nanoseconds since 1970. Only a program
            that plays back payments gives another one than the machine's; no setting does.
        journal_dir: folder of decisions that are made while Postgres is away.
        journal_max_bytes: largest size of the journal of this process.
        journal_key_seconds: seconds that an API key is valid without Postgres.
    """
    circuit = Circuit()

    def pool(name: str, connections: int, circuit: Circuit | None = None) -> Engine:
        engine = open_database(
            database_url,
            role=SERVICE_ROLE,
            pool_size=connections,
            name=name,
            circuit=circuit,
        )
        stack.callback(engine.dispose)
        return engine

    engine = pool("score", POOL_SIZE, circuit)
    background_engine = pool("background", BACKGROUND_CONNECTIONS)
    api_engine = pool("api", API_CONNECTIONS)
    refusals = RefusalRecorder(background_engine)
    model_store = ModelStore(
        open_registry(tracking_uri),
        model_cache,
        max_models=models_in_memory,
        on_refusal=refusals.add,
        on_eviction=EVICTIONS.inc,
    )
    locks = BoosterLocks()
    folder = HistoryFolder(background_engine)
    stack.callback(folder.stop)
    prepared = PreparedEntities(background_engine)
    stack.callback(prepared.stop)
    shadow = ShadowScorer(
        model_store,
        ShadowLog(background_engine),
        locks,
        History(background_engine, folder, prepared),
    )
    stack.callback(shadow.stop)
    alias_follower = AliasFollower(
        model_store,
        DeploymentRecorder(background_engine, model_store),
        TenantSettings(background_engine),
        refusals,
        poll_seconds,
    )
    stack.callback(alias_follower.stop)
    drift = DriftMetrics(background_engine)
    stack.callback(drift.stop)
    database = DatabaseMetrics(background_engine)
    stack.callback(database.stop)
    hours = HourFolder(background_engine)
    stack.callback(hours.stop)
    deployments = DeploymentMetrics(
        has_model=alias_follower.has_model,
        challengers=alias_follower.challengers,
        faults=lambda: alias_follower.faults,
        followed_at_s=lambda: alias_follower.followed_at_s,
    )
    journal = open_journal(journal_dir, journal_max_bytes)
    if journal is not None:
        stack.callback(journal.close)
    log = JournalledLog(DecisionLog(engine), circuit, journal, alias_follower.journals)
    journal_engine = pool("journal", JOURNAL_CONNECTIONS)
    drainer = None if journal is None else Drainer(journal_engine, journal)
    watcher = StoreWatcher(circuit, drainer, journal_engine, partial(look, database_url))
    stack.callback(watcher.stop)

    def changed() -> None:
        log.update()
        if not circuit.is_open:  # what the other pools are connected to may have been replaced
            background_engine.dispose()
            api_engine.dispose()

    circuit.connect(wake=watcher.wake, changed=changed)
    if journal is not None:
        journal.connect(log.update)
    batch_scorer = BatchScorer(
        log,
        Predictor(locks, History(engine, folder, prepared), log),
        shadow,
        traces,
        clock,
    )
    uploads = UploadRunner(
        background_engine,
        # Of its own, so that no payment waits for a connection that an upload holds.
        BatchScorer(
            DecisionLog(background_engine),
            Predictor(locks, History(background_engine, folder, prepared)),
            shadow,
            traces,
        ),
        assigner(
            alias_follower.assignment,
            asyncio.get_running_loop(),
            lambda: uploads.is_stopping,
        ),
        alias_follower.validator,
    )
    stack.callback(uploads.stop)
    auth = Authenticator(
        partial(_verify, circuit, engine, key_secrets), keep_away_s=journal_key_seconds
    )
    pools = {"score": engine, "background": background_engine, "api": api_engine}
    dependencies = Dependencies(
        engine=engine,
        auth=auth,
        alias_follower=alias_follower,
        log=log,
        store_checks=StoreChecks(engine, circuit, journal),
        batch_scorer=batch_scorer,
        inline_scorer=InlineScorer(batch_scorer, log),
        api=ApiDependencies(
            api_engine,
            auth,
            Cursors(*key_secrets),
            alias_follower.refresh_settings,
            model_store.find,
            KeyIssuer(key_secrets[0]),
            loaded_model=model_store.loaded,
            openid=OpenIdProvider(*openid) if openid else None,
            public_url=public_url,
            proxies=proxies,
            mlflow_url=mlflow_public_url or browser_address(tracking_uri),
        ),
        metrics=LiveMetrics(
            pools,
            alias_follower.in_use,
            deployments,
            PreparedMetrics(prepared.usage),
            JournalMetrics(circuit, journal, drainer),
            drift,
            database,
        ),
    )
    alias_follower.start()
    watcher.start()
    folder.start()
    prepared.start()
    shadow.start()
    drift.start()
    database.start()
    hours.start()
    uploads.start()
    # A full collection would visit all these objects and stall every caller for 0.12 s every 0.6 s
    # at 64 clients. No collection runs before: it would take 0.14 s to free 279 objects.
    gc.freeze()
    return dependencies


def _verify(
    circuit: Circuit, engine: Engine, key_secrets: Sequence[bytes], key: str
) -> Principal | None:
    """Verify an API key; a fault of Postgres opens the circuit."""
    if circuit.is_open:
        raise circuit.error()
    try:
        return verify_key(engine, key, *key_secrets)
    except StoreUnavailable as error:
        circuit.open(error)
        raise
