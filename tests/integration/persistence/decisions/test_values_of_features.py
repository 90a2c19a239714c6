"""Features and contributions: arrays of an own event type's decisions, documents of PaySim's."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.drift.bin_counts import Window, bin_counts
from persistence.tenancy import tenant_transaction
from scoring.evaluation.drift import SCORE, Binned
from scoring.features import FEATURE_NAMES
from tests.support.data.own_events import CardTenant
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant

DELICATE = (-0.0, nan, 5e-324, 0.1 + 0.2, -1.7976931348623157e308, inf)
LEFT_OUT = "left out"


@pytest.fixture
def cards(engine: Engine) -> CardTenant:
    return CardTenant(engine, an_event_type())


def of_delicate_numbers(decided: Decided) -> Decided:
    """Return a decision whose features and contributions test how numbers are stored."""
    count = len(decided.prediction.features)
    features = [DELICATE[i % len(DELICATE)] for i in range(count)]
    contributions = list(reversed(features))
    prediction = decided.prediction._replace(features=features, contributions=contributions)
    return decided._replace(prediction=prediction)


def bits(numbers: Any) -> bytes:
    return struct.pack(f"!{len(numbers)}d", *numbers)


def stored_form(engine: Engine, decided: Decided) -> Any:
    with tenant_transaction(engine, decided.tenant_id) as connection:
        return connection.execute(
            text(
                "SELECT features, contributions, feature_values, contribution_values"
                " FROM predictions WHERE id = :id"
            ),
            {"id": decided.prediction_id},
        ).one()


def test_every_bit_of_an_events_numbers_is_kept(engine: Engine, cards: CardTenant) -> None:
    made = [of_delicate_numbers(cards.decided(TX_AMOUNT=float(i + 1))) for i in range(3)]
    DecisionLog(engine).write(made)
    for decided in made:
        read = read_decision(engine, cards.id, decided.prediction_id).prediction
        assert bits(read.features) == bits(decided.prediction.features)
        assert bits(read.contributions) == bits(decided.prediction.contributions)
        assert read.described == decided.prediction.described
        assert stored_form(engine, decided)[:2] == ({}, {})


def test_each_row_of_a_mixed_batch_has_its_own_numbers(
    engine: Engine, cards: CardTenant, make_tenant: MakeTenant
) -> None:
    paysim = make_tenant()
    batch = [
        a_decision(paysim.id),
        cards.decided(TX_AMOUNT=1.0),
        a_decision(paysim.id),
        cards.decided(TX_AMOUNT=2.0),
        cards.decided(TX_AMOUNT=3.0),
    ]
    DecisionLog(engine).write(batch)
    for decided in batch:
        read = read_decision(engine, decided.tenant_id, decided.prediction_id)
        assert read.prediction == decided.prediction
    documents = stored_form(engine, batch[0])
    assert list(documents.features) == sorted(FEATURE_NAMES, key=lambda name: (len(name), name))
    assert (documents.feature_values, documents.contribution_values) == (None, None)


def test_a_repeated_event_returns_the_numbers_that_were_stored(
    engine: Engine, cards: CardTenant
) -> None:
    log = DecisionLog(engine)
    first = of_delicate_numbers(cards.decided(external_id="order-1"))
    log.write([first])
    (stored,) = log.write([cards.decided(external_id="order-1")])
    assert isinstance(stored, Decided)
    assert stored.prediction_id == first.prediction_id
    assert bits(stored.prediction.features) == bits(first.prediction.features)


def test_drift_counts_the_features_of_an_event_and_leaves_missing_ones_out(
    engine: Engine, cards: CardTenant
) -> None:
    name = cards.model.features.names[0]
    made = [cards.decided(TX_AMOUNT=float(i + 1)) for i in range(4)]
    for i, value in enumerate((1.0, 5.0, nan, 9.0)):
        features = [value, *made[i].prediction.features[1:]]
        made[i] = made[i]._replace(prediction=made[i].prediction._replace(features=features))
    DecisionLog(engine).write(made)
    now = datetime.now(UTC)
    window = Window(now - timedelta(hours=1), now + timedelta(hours=1))
    bins = {
        name: Binned((4.0,), (0.5, 0.5), 10),
        LEFT_OUT: Binned((4.0,), (0.5, 0.5), 10),
        SCORE: Binned((), (1.0,), 10),
    }
    version = cards.model.version
    assert version is not None
    with tenant_transaction(engine, cards.id) as connection:
        counts = bin_counts(connection, cards.id, version, window, bins)
    assert counts == {name: [1, 2], LEFT_OUT: [0, 0], SCORE: [4]}
