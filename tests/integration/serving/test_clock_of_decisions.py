"""A decision has the time of the clock that the scorer was made with: the machine's, by default."""

from __future__ import annotations

import ast
import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from observability.request_id import Origin
from observability.tracing import Traces
from persistence.decisions.rows import read_decision
from persistence.decisions.writer import DecisionLog
from persistence.maintenance.maintenance import maintain
from persistence.uuid7 import unix_ms_of
from scoring.model.booster_locks import BoosterLocks
from scoring.prediction import ModelVersion
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import Item
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment
from serving.history import History
from serving.prepared_entities import PreparedEntities
from serving.responses import Answered
from serving.shadow import ShadowScorer
from tests.support.factories import a_model, a_transaction
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.paths import PROJECT

BEFORE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=40)
MODEL = a_model(version=ModelVersion("fraud-demo", 1))


def scorer(engine: Engine, **clock: Any) -> BatchScorer:
    nobody = cast("Any", None)  # the model has no windows
    predictor = Predictor(BoosterLocks(), History(nobody, nobody, PreparedEntities(nobody)))
    no_shadow = cast("ShadowScorer", None)  # there is no challenger
    return BatchScorer(DecisionLog(engine), predictor, no_shadow, Traces(), **clock)


@pytest.mark.parametrize("bulk", [False, True])
def test_a_payment_that_is_played_back_is_decided_at_its_time_and_stored_in_its_month(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, rows: Rows, bulk: bool
) -> None:
    tenant = make_tenant()
    maintain(engine, BEFORE, keep_events=True)
    played_back = scorer(service_engine, clock=lambda: int(BEFORE.timestamp()) * 10**9)
    deployment = DeploymentState(is_test=False, champion=None, challenger=None, canary_percent=0)
    assignment = ModelAssignment(deployment, MODEL, None)
    item = Item(tenant.id, assignment, [a_transaction()], time.perf_counter(), Origin("a"))
    (answer,), _ = played_back.score_bulk([item]) if bulk else played_back.score([item])
    assert isinstance(answer, Answered)
    (stored,) = rows("SELECT id, transaction_id, tableoid::regclass::text FROM predictions")
    assert unix_ms_of(stored["id"]) == BEFORE.timestamp() * 1000
    assert stored["tableoid"] == f"predictions_{BEFORE:%Y_%m}"
    decided = read_decision(engine, tenant.id, stored["id"])
    assert decided.moment == BEFORE
    assert decided.decided_at is not None
    assert decided.decided_at - decided.moment > timedelta(days=39), "Postgres has its own clock"


def test_the_service_gives_no_clock_and_no_setting_has_one() -> None:
    tree = ast.parse((PROJECT / "service.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (connect,) = (call for call in calls if getattr(call.func, "id", "") == "connect")
    assert "clock" not in {argument.arg for argument in connect.keywords}
    assert "clock" not in (PROJECT / "sentinel/settings.py").read_text()
