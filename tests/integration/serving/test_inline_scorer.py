"""A single payment is decided on the event loop when nothing would block it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Engine

from observability.request_id import Origin
from observability.tracing import Traces
from persistence.decisions.rows import read_decision
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import NoModel, StoreUnavailable
from scoring.event_type.validation import EventValidator
from scoring.lists.index import ListIndex
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.model.rules_in_force import RulesInForce
from scoring.prediction import ModelVersion
from scoring.rules.rule import Rule, RuleSet
from serving.batching.batch_scorer import BatchScorer
from serving.batching.inline_scorer import InlineScorer
from serving.batching.item import Answer, Item
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment
from serving.history import History
from serving.prepared_entities import PreparedEntities
from serving.responses import Answered
from serving.shadow import ShadowScorer
from tests.support.event_types import NOW_US, an_event
from tests.support.factories import a_decision, a_model, a_transaction
from tests.support.fixture_types import MakeTenant
from tests.support.own_models import STATELESS, a_model_of, features_of
from tests.support.postgres.proxy import Proxy

VERSION = ModelVersion("fraud-demo", 1)
BUSY = "count(by=CUSTOMER_ID, window='3h') >= 3"


@pytest.fixture
def log(service_engine: Engine, make_tenant: MakeTenant) -> DecisionLog:
    """A log with a connection at hand."""
    log = DecisionLog(service_engine)
    log.write([a_decision(make_tenant("another").id)])
    return log


def inline_scorer(log: DecisionLog) -> InlineScorer:
    no_shadow = cast("ShadowScorer", None)  # there is no challenger
    nobody = cast("Any", None)  # the models have no windows
    predictor = Predictor(BoosterLocks(), History(nobody, nobody, PreparedEntities(nobody)))
    return InlineScorer(BatchScorer(log, predictor, no_shadow, Traces()), log)


def decide(log: DecisionLog, item: Item) -> Answer:
    (answer,), _report = asyncio.run(inline_scorer(log).decide(item))
    return cast("Answer", answer)


def an_item(
    champion: FraudModel | None, canary: FraudModel | None = None, tenant_id: int = 7
) -> Item:
    deployment = DeploymentState(is_test=True, champion=None, challenger=None, canary_percent=0.0)
    assignment = ModelAssignment(deployment, champion, canary)
    return Item(tenant_id, assignment, [a_transaction()], 0.0, Origin("a-request"))


@pytest.fixture(scope="module")
def compiled() -> FraudModel:
    """A model with compiled trees, as the service loads it."""
    return a_model(version=VERSION).as_served()


def test_an_inline_decision_is_stored_and_answered_as_a_batch_of_one(
    compiled: FraudModel,
    log: DecisionLog,
    make_tenant: MakeTenant,
    service_engine: Engine,
) -> None:
    tenant_id = make_tenant().id
    item = an_item(compiled, tenant_id=tenant_id)
    answer = decide(log, item)
    assert isinstance(answer, Answered)
    assert not answer.is_replayed
    reply = orjson.loads(answer.decisions[0] + b"}")
    stored = read_decision(service_engine, tenant_id, UUID(reply["prediction_id"]))
    assert stored.transaction == item.transactions[0]
    assert [stored.prediction] == compiled.predict(item.transactions)
    assert reply["margin"] == stored.prediction.margin


def test_without_a_model_the_answer_is_no_model(log: DecisionLog) -> None:
    answer = decide(log, an_item(None))
    assert isinstance(answer, NoModel)


def test_a_lost_connection_is_answered_with_store_unavailable(
    compiled: FraudModel, database: str
) -> None:
    with Proxy(database) as proxy:
        log = DecisionLog(open_database(proxy.url, role=SERVICE_ROLE))
        proxy.cut_before_reply(b"C1305486145")
        answer = decide(log, an_item(compiled))
    assert isinstance(answer, StoreUnavailable)


def test_inline_scoring_needs_compiled_trees_and_a_free_connection(
    compiled: FraudModel, log: DecisionLog, service_engine: Engine
) -> None:
    by_lightgbm = replace(compiled, compiled=None)
    assert inline_scorer(log).fits(an_item(compiled))
    assert inline_scorer(log).fits(an_item(None))
    assert inline_scorer(log).fits(an_item(compiled, canary=compiled))
    assert not inline_scorer(log).fits(an_item(by_lightgbm))
    assert not inline_scorer(log).fits(an_item(compiled, canary=by_lightgbm))
    service_engine.dispose()
    assert not inline_scorer(log).fits(an_item(compiled))


def test_inline_scoring_neither_compiles_rules_nor_reads_their_windows(log: DecisionLog) -> None:
    model = a_model_of(features_of(STATELESS), version=VERSION).as_served()
    event_type = model.features.event_type
    event = EventValidator(event_type, 1).validate(an_event(), NOW_US)

    def item_with(condition: str) -> Item:
        rule = Rule(1, 1, "one", condition, "review", "live")
        rules = RulesInForce(1, RuleSet((rule,)), ListIndex())
        item = an_item(model)
        assignment = replace(item.assignment, rules=rules)
        return replace(item, assignment=assignment, transactions=[event])

    def compile_for(item: Item) -> None:
        assert item.assignment.rules is not None
        item.assignment.rules.of_model(event.event_type, model.features)

    plain, windowed = item_with("TX_AMOUNT > 10"), item_with(BUSY)
    assert not inline_scorer(log).fits(plain)
    for item in (plain, windowed):
        compile_for(item)
    assert inline_scorer(log).fits(plain)
    assert not inline_scorer(log).fits(windowed)
