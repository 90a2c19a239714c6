"""Without Postgres the windows of a journalled decision are missing, and the decision says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import orjson
import pytest
from sqlalchemy import Engine

from observability.request_id import Origin
from observability.tracing import Traces
from persistence.deployments.recording import record_promotions
from scoring.errors import StoreUnavailable
from scoring.event_type.event import Event
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import Answer, Item
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment
from serving.history import Folder, History
from serving.prepared_entities import PreparedEntities
from serving.responses import Answered
from serving.shadow import ShadowScorer
from tests.support.data.journalled import JournalledStore
from tests.support.data.own_events import CardTenant
from tests.support.fixture_types import Rows
from tests.support.own_models import WITH_WINDOWS, a_model_of, features_of


class Desk:
    """A batch scorer of two tenants with windows; the first chose the journal."""

    def __init__(self, database: str, engine: Engine, root: Path) -> None:
        version = ModelVersion("fraud-cards", 2)
        self.model: FraudModel = a_model_of(features_of(WITH_WINDOWS), version=version).as_served()
        event_type = self.model.features.event_type
        self.cards, self.others = (CardTenant(engine, event_type, slug) for slug in ("a1", "a2"))
        record_promotions(engine, [self.cards.id, self.others.id], self.model)
        self.store = JournalledStore(database, root, lambda id_: id_ == self.cards.id)
        history = History(
            self.store.engine, cast("Folder", None), PreparedEntities(self.store.engine)
        )
        predictor = Predictor(BoosterLocks(), history, self.store.log)
        no_shadow = cast("ShadowScorer", None)  # there is no challenger
        self.scorer = BatchScorer(self.store.log, predictor, no_shadow, Traces())

    def item(self, cards: CardTenant, *events: Event) -> Item:
        deployment = DeploymentState(False, None, None, 0.0)
        assignment = ModelAssignment(deployment, self.model, None)
        return Item(cards.id, assignment, list(events), 0.0, Origin("one"))


@pytest.fixture
def desk(database: str, engine: Engine, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(database, engine, tmp_path)
    yield desk
    desk.store.close()


def replies(answer: Answer) -> list[dict[str, object]]:
    assert isinstance(answer, Answered), answer
    return [orjson.loads(decision + b"}") for decision in answer.decisions]


def test_only_the_tenant_that_chose_the_journal_is_decided_without_its_past(
    desk: Desk, rows: Rows
) -> None:
    desk.store.circuit.open(StoreUnavailable("away"))
    items = [desk.item(cards, cards.event()) for cards in (desk.cards, desk.others)]
    (decided, refused), _ = desk.scorer.score(items)
    assert isinstance(refused, StoreUnavailable)
    (reply,) = replies(decided)
    assert reply["stored"] == "journal"
    unread = reply["unread_windows"]
    assert isinstance(unread, list)
    assert "count(by=CUSTOMER_ID, window='1d')" in unread
    assert len(unread) == len(desk.model.features.windows)
    assert desk.store.drainer.drain_part() == 1
    (row,) = rows("SELECT unread_windows, feature_values FROM predictions")
    assert row["unread_windows"] == unread
    place = desk.model.features.names.index("events_1d")
    assert np.isnan(row["feature_values"][place])


def test_a_whole_batch_without_its_past_says_so_of_each_event(desk: Desk) -> None:
    desk.store.circuit.open(StoreUnavailable("away"))
    events = [desk.cards.event(TX_AMOUNT=1.0 + i) for i in range(3)]
    (decided,), _ = desk.scorer.score_bulk([desk.item(desk.cards, *events)])
    assert all(reply["unread_windows"] for reply in replies(decided))
    (refused,), _ = desk.scorer.score_bulk([desk.item(desk.others, desk.others.event())])
    assert isinstance(refused, StoreUnavailable)


def test_with_postgres_the_reply_has_neither_member(desk: Desk) -> None:
    (decided,), _ = desk.scorer.score([desk.item(desk.cards, desk.cards.event())])
    (reply,) = replies(decided)
    assert "stored" not in reply
    assert "unread_windows" not in reply


def test_an_explanation_is_refused_rather_than_made_without_the_past(desk: Desk) -> None:
    desk.store.circuit.open(StoreUnavailable("away"))
    (refused,), _ = desk.scorer.explain([desk.item(desk.cards, desk.cards.event())])
    assert isinstance(refused, StoreUnavailable)
