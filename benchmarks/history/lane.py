"""One service with two tenants: the same payments with windows and without."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
from sqlalchemy import Engine

from benchmarks.history.events import EVENT_TYPE, HOT, Past, with_windows, without_windows
from benchmarks.load.clients import Endpoint, LoadResult, run_load
from benchmarks.load.cpu import Meter
from benchmarks.load.testbed import KEY_SECRET, Testbed
from benchmarks.models import SHAPES
from persistence.api_keys import issue_key
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.event_types import apply_event_type
from persistence.history.writer import import_history
from persistence.maintenance import migrate
from persistence.tenancy import OPERATOR, tenant_transaction
from persistence.tenants import create_tenant
from registry.names import PRODUCTION, model_name
from registry.publish.registration import registering
from registry.publish.tracking import Tracking
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from training.pipeline.calibration import fit_sigmoid
from training.pipeline.golden_rows import golden_rows

TENANTS: dict[str, Callable[[], ModelFeatures]] = {
    "with": with_windows,
    "without": without_windows,
}
_ROWS = 20_000

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """A load of the service.

    Attributes:
        path: route.
        clients: number of concurrent clients.
        rows: payments of a request to /score/batch; None for /score.
        customer: customer of every payment; None for random ones.
    """

    path: str
    clients: int
    rows: int | None = None
    customer: str | None = None


LOADS = {
    "score_c1": Load("/score", 1),
    "score_c64": Load("/score", 64),
    "batch_1000": Load("/score/batch", 1, 1000),
    "hot_c1": Load("/score", 1, customer=HOT),
}


class Lane:
    """The service, and the past of the tenant whose model has windows.

    Args:
        testbed: Postgres and MLflow.
        past: past events.
        report: function that is called with a line about each step.
    """

    def __init__(self, testbed: Testbed, past: Past, report: Report) -> None:
        self._testbed = testbed
        self._past = past
        url = testbed.database("bench_history")
        migrate.upgrade(url)
        engine = open_database(url, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
        self._keys = {name: self._prepared(engine, name, report) for name in TENANTS}
        engine.dispose()
        child, self._port = testbed.serve("history", url)
        self._meter = Meter(child.identity[0], testbed.home)

    def measure(self, load: Load, tenant: str, seconds: float) -> LoadResult:
        """Put a load on the service with the payments of a tenant."""
        headers = {"Authorization": f"Bearer {self._keys[tenant]}"}
        endpoint = Endpoint("127.0.0.1", self._port, load.path, headers)
        bodies = self._past.bodies(load.rows, load.customer)
        self._testbed.checkpoint()
        return run_load(endpoint, bodies, load.clients, seconds, self._meter.usage, seconds / 4)

    def _prepared(self, engine: Engine, name: str, report: Report) -> str:
        """Register a tenant's model and import its past; return a key of the tenant."""
        features = TENANTS[name]()
        _register(self._testbed.tracking, self._testbed.home, name, features)
        tenant = create_tenant(engine, name, model_name(name))
        with tenant_transaction(engine, tenant.id, actor=OPERATOR) as connection:
            apply_event_type(connection, tenant.id, EVENT_TYPE, OPERATOR)
        if features.windows:
            begun = time.monotonic()
            stored = import_history(
                engine,
                tenant.id,
                self._past.batches(),
                OPERATOR,
                lambda read, _stored: report(f"{read:,} past events of entities"),
            ).new
            seconds = time.monotonic() - begun
            report(f"imported {stored:,} in {seconds:.0f} s, {stored / seconds:,.0f} a second")
        return issue_key(engine, tenant.id, ("score",), KEY_SECRET)


def _register(tracking: Tracking, home: Path, name: str, features: ModelFeatures) -> None:
    folder = home / "models-made" / f"history-{name}" / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model, matrix = _model(features)
    score = model.calibrator(model.margins(matrix))
    model.save(folder, golden_rows(matrix, score, model.policy, features.described))
    registered_name = model_name(name)
    with (
        tracking.run("benchmarks", f"history-{name}", {}) as run,
        registering(run, folder, registered_name, tags={}, metrics={}) as registered,
    ):
        version = registered.version
    tracking.client.set_registered_model_alias(registered_name, PRODUCTION, str(version))


def _model(
    features: ModelFeatures,
) -> tuple[FraudModel, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return a model with as many leaves as the medium one, whose score is of no use."""
    rng = np.random.default_rng(3)
    matrix = rng.lognormal(2, 2, (_ROWS, len(features.names)))
    is_fraud = rng.random(_ROWS) < 0.05
    shape = SHAPES["medium"]
    parameters = {
        "objective": "binary",
        "min_data_in_leaf": 5,
        "min_sum_hessian_in_leaf": 0.0,
        "num_threads": 1,
        "verbosity": -1,
        "seed": 3,
    }
    leaves = shape.leaves_by_tree()
    data = lgb.Dataset(matrix, is_fraud.astype(np.float64), feature_name=list(features.names))
    booster = lgb.train(
        parameters, data, shape.trees, callbacks=[lgb.reset_parameter(num_leaves=leaves)]
    )
    margin = np.asarray(booster.predict(matrix, raw_score=True))
    calibrator, policy = fit_sigmoid(margin, is_fraud), Policy.at(0.2, CostModel())
    return FraudModel(booster, calibrator, policy, {}, features=features), matrix
