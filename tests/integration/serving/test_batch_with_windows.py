"""A /score/batch whose model has windows: each row sees the rows before it, in every part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
import pytest
from sqlalchemy import Engine, text

from observability.request_id import Origin
from observability.tracing import Traces
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.tenancy import tenant_transaction
from scoring.event_type.event import Event
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from serving.batching.batch_scorer import PART_ROWS, BatchScorer
from serving.batching.item import Item
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment
from serving.history import Folder, History
from serving.prepared_entities import PreparedEntities
from serving.responses import Answered
from serving.shadow import ShadowScorer
from tests.support.data.own_events import CardTenant
from tests.support.own_models import WITH_WINDOWS, a_model_of, features_of

ROWS = 2 * PART_ROWS + 10
BEGIN = datetime(2026, 3, 20, tzinfo=UTC)


class NoFolder:
    """Moves nothing: no entity has a stored past here."""

    def add(self, *_: object) -> None:
        """Do nothing."""


@pytest.fixture
def model() -> FraudModel:
    """A model with windows, as the service loads it."""
    version = ModelVersion("fraud-cards", 2)
    return a_model_of(features_of(WITH_WINDOWS), version=version).as_served()


@pytest.fixture
def cards(engine: Engine, model: FraudModel) -> CardTenant:
    cards = CardTenant(engine, model.features.event_type)
    record_promotions(engine, [cards.id], model)
    return cards


@pytest.fixture
def scorer(service_engine: Engine) -> BatchScorer:
    folder = cast("Folder", NoFolder())
    predictor = Predictor(
        BoosterLocks(), History(service_engine, folder, PreparedEntities(service_engine))
    )
    no_shadow = cast("ShadowScorer", None)  # there is no challenger
    return BatchScorer(DecisionLog(service_engine), predictor, no_shadow, Traces())


def payments(cards: CardTenant) -> list[Event]:
    """Return payments of few customers, minutes apart, so that each sees rows of earlier parts."""
    return [
        cards.event(
            TX_DATETIME=(BEGIN + timedelta(minutes=i)).isoformat(),
            CUSTOMER_ID=i % 7,
            TX_AMOUNT=1.0 + i,
        )
        for i in range(ROWS)
    ]


def score(scorer: BatchScorer, cards: CardTenant, model: FraudModel, events: list[Event]) -> None:
    deployment = DeploymentState(is_test=False, champion=None, challenger=None, canary_percent=0.0)
    assignment = ModelAssignment(deployment, model, None)
    (answer,), _ = scorer.score_bulk([Item(cards.id, assignment, events, 0.0, Origin("one"))])
    assert isinstance(answer, Answered), answer
    assert len(answer.decisions) == len(events)


def test_rows_of_every_part_see_all_rows_before_them(
    engine: Engine, cards: CardTenant, model: FraudModel, scorer: BatchScorer
) -> None:
    events = payments(cards)
    score(scorer, cards, model, events)
    with tenant_transaction(engine, cards.id) as connection:
        rows = connection.execute(
            text(
                "SELECT p.feature_values FROM predictions p JOIN transactions t"
                " ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id) ORDER BY t.amount"
            )
        )
        stored = np.array(rows.scalars().all())
    expected = model.features.matrix_of(events, model.features.windows_within(events))
    assert stored.tobytes() == expected.tobytes()
    assert stored[:, model.features.names.index("events_1d")].max() > PART_ROWS / 7
