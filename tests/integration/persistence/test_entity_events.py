"""Past events of entities: the statement that stores a decision stores them, labels change them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog, KeysRefused
from persistence.history.folding import fold_history
from persistence.history.reader import EntitySpan, read_history
from persistence.tenancy import tenant_transaction
from scoring.errors import IdempotencyMismatch
from tests.support.data.own_events import CardTenant, label
from tests.support.data.past_events import StoredEvent, past_of
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision, write_whole
from tests.support.fixture_types import MakeTenant, Rows

CARDS = an_event_type(
    DEVICE={"kind": "entity", "entity": "device", "optional": True},
    NOTE={"kind": "text", "optional": True},
)
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp() * 1_000_000)
DAY = timedelta(days=1)


@pytest.fixture
def cards(engine: Engine) -> CardTenant:
    return CardTenant(engine, CARDS)


@pytest.fixture
def log(service_engine: Engine) -> DecisionLog:
    return DecisionLog(service_engine)


def past(
    engine: Engine, tenant_id: int, key: str = "596", entity: str = "CUSTOMER_ID"
) -> list[StoredEvent]:
    """Every past event of an entity."""
    return past_of(engine, tenant_id, entity, key)


def known(engine: Engine, decided: Decided) -> float | None:
    """Days after its event at which an event became known as a fraud; None: it did not."""
    moments = {one.fraud_known_us for one in past(engine, decided.tenant_id)}
    assert moments == {
        one.fraud_known_us for one in past(engine, decided.tenant_id, "T3156", "TERMINAL_ID")
    }
    (us,) = moments
    return None if us is None else (us - NOON_US) / 86_400_000_000


def test_an_event_becomes_a_past_event_of_each_of_its_entities(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    decided = cards.decided(NOTE='quoted "€"', TX_AMOUNT=0.1 + 0.2, CHANNEL=None)
    assert log.write([decided]) == [decided]
    for entity, key in (("CUSTOMER_ID", "596"), ("TERMINAL_ID", "T3156")):
        (stored,) = past(service_engine, cards.id, key, entity)
        at = {"TX_DATETIME": NOON_US}
        assert stored == (decided.transaction.document() | at, None, decided.transaction_id)
    assert past(service_engine, cards.id, "", "DEVICE") == [], "it has none"


def test_a_repeated_request_counts_once(
    service_engine: Engine, cards: CardTenant, log: DecisionLog, rows: Rows
) -> None:
    first = cards.decided(external_id="payment-1")
    assert log.write([first]) == [first]
    (again,) = log.write([cards.decided(external_id="payment-1")])
    assert isinstance(again, Decided)
    assert again.transaction_id == first.transaction_id
    (other,) = log.write([cards.decided(external_id="payment-1", TX_AMOUNT=2.0)])
    assert isinstance(other, IdempotencyMismatch)
    assert len(past(service_engine, cards.id)) == 1
    assert {row["event_id"] for row in rows("SELECT event_id FROM entity_events")} == {
        first.transaction_id
    }


def test_a_batch_that_is_not_stored_leaves_no_past_event(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    log.write([cards.decided(external_id="taken")])
    batch = [cards.decided(CUSTOMER_ID="C2"), cards.decided(external_id="taken", TX_AMOUNT=1.0)]
    with pytest.raises(KeysRefused):
        write_whole(log, batch)
    assert past(service_engine, cards.id, "C2") == []


def test_events_of_paysim_beside_them_have_no_past(
    cards: CardTenant, log: DecisionLog, make_tenant: MakeTenant, rows: Rows
) -> None:
    batch = [a_decision(make_tenant("paysim").id), cards.decided()]
    assert log.write(batch) == batch
    assert {row["tenant_id"] for row in rows("SELECT tenant_id FROM entity_events")} == {cards.id}


def test_an_event_type_without_a_time_stores_no_past(
    engine: Engine, log: DecisionLog, rows: Rows
) -> None:
    timeless = CardTenant(engine, an_event_type(TX_DATETIME={"kind": "timestamp"}), "timeless")
    model = timeless.decided()
    assert log.write([model]) == [model]
    assert rows("SELECT FROM entity_events") == []


def test_threads_that_score_one_account_lose_nothing(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    each = 40

    def score(thread: int) -> None:
        for i in range(each):
            decided = cards.decided(TX_AMOUNT=float(thread * each + i))
            assert log.write([decided]) == [decided]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(score, range(4)))
    amounts = [one.fields["TX_AMOUNT"] for one in past(service_engine, cards.id)]
    assert sorted(amounts) == [float(i) for i in range(4 * each)]


def test_recent_events_are_read_within_their_span(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    for hour in (14, 10, 12, 11, 13):
        log.write([cards.decided(TX_DATETIME=f"2026-03-31T{hour}:00:00Z", TX_AMOUNT=float(hour))])
    hour_us = 3_600_000_000
    spans = [
        EntitySpan("CUSTOMER_ID", "596", NOON_US - hour_us, NOON_US + hour_us),
        EntitySpan("CUSTOMER_ID", "nobody", 0, 2**62),
        EntitySpan("TERMINAL_ID", "T3156", NOON_US, 2**62),
    ]
    found = read_history(service_engine, cards.id, spans, with_frauds=False).entities
    assert [(one.events, one.recent) for one in found] == [(2, 2), (0, 0), (3, 3)]
    within = past_of(service_engine, cards.id, *spans[0][:4])
    assert [one.fields["TX_AMOUNT"] for one in within] == [11.0, 12.0]


def amounts(engine: Engine, tenant_id: int) -> list[float]:
    return sorted(one.fields["TX_AMOUNT"] for one in past(engine, tenant_id))


def test_events_that_are_moved_to_a_segment_are_read_from_there(
    service_engine: Engine, cards: CardTenant, log: DecisionLog, rows: Rows
) -> None:
    customer = ("CUSTOMER_ID", "596")
    span = EntitySpan(*customer, 0, 2**62)
    fraud = cards.decided(TX_AMOUNT=0.0)
    log.write([fraud, *(cards.decided(TX_AMOUNT=float(i)) for i in range(1, 100))])
    label(service_engine, cards.id, fraud.transaction_id, "fraud", NOON + DAY)
    before = past(service_engine, cards.id)
    fold_history(service_engine, cards.id, [customer])
    assert past(service_engine, cards.id) == before
    (found,) = read_history(service_engine, cards.id, [span], with_frauds=False).entities
    assert (found.events, found.recent) == (100, 0)
    assert len(past(service_engine, cards.id, "T3156", "TERMINAL_ID")) == 100, "not moved"

    # A segment is filled up to 128 events; then another one begins.
    for first in (100, 130):
        log.write([cards.decided(TX_AMOUNT=float(i)) for i in range(first, first + 30)])
        fold_history(service_engine, cards.id, [customer])
    assert amounts(service_engine, cards.id) == [float(i) for i in range(160)]
    segments = rows("SELECT events, since_us, until_us FROM entity_segments ORDER BY id")
    assert [row["events"] for row in segments] == [130, 30]
    assert {us for row in segments for us in (row["since_us"], row["until_us"])} == {NOON_US}


def test_a_segment_is_read_if_its_time_touches_the_span(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    for hour in (10, 12):
        log.write([cards.decided(TX_DATETIME=f"2026-03-31T{hour}:00:00Z")])
    fold_history(service_engine, cards.id, [("CUSTOMER_ID", "596")])
    hour_us = 3_600_000_000

    def events(since_hours: int, until_hours: int) -> int:
        span = (NOON_US + since_hours * hour_us, NOON_US + until_hours * hour_us)
        return len(past_of(service_engine, cards.id, "CUSTOMER_ID", "596", *span))

    assert [events(-1, 5), events(0, 1), events(1, 5), events(-9, -2), events(-9, -1)] == [
        2, 2, 0, 0, 2,
    ]  # fmt: skip


def test_moving_loses_nothing_while_others_score_and_move(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    each = 60

    def score(thread: int) -> None:
        for i in range(each):
            assert log.write([cards.decided(TX_AMOUNT=float(thread * each + i))])
            if i % 7 == thread:
                both = [("CUSTOMER_ID", "596"), ("TERMINAL_ID", "T3156")]
                fold_history(service_engine, cards.id, both)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(score, range(3)))
    assert amounts(service_engine, cards.id) == [float(i) for i in range(3 * each)]


def test_another_tenants_events_are_not_moved(
    engine: Engine, service_engine: Engine, cards: CardTenant, log: DecisionLog, rows: Rows
) -> None:
    other = CardTenant(engine, CARDS, "other")
    log.write([cards.decided()])
    fold_history(service_engine, other.id, [("CUSTOMER_ID", "596")])
    move = text("SELECT fold_entity_events(:tenant_id, 'CUSTOMER_ID', '596')")
    with tenant_transaction(service_engine, other.id) as connection:
        connection.execute(move, {"tenant_id": cards.id})
    assert rows("SELECT FROM entity_segments") == []
    assert len(past(service_engine, cards.id)) == 1


def test_an_entitys_name_does_not_reach_another_field_or_tenant(
    engine: Engine, service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    other = CardTenant(engine, CARDS, "other")
    log.write([cards.decided(CUSTOMER_ID="X", TERMINAL_ID="Y"), other.decided(CUSTOMER_ID="Y")])
    assert len(past(service_engine, cards.id, "X")) == 1
    assert past(service_engine, cards.id, "Y") == []
    assert past(service_engine, other.id, "X") == []


Said = tuple[Any, ...]
"""A label: value, source, days after the event at which it became known, whether it reverses."""


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param([("fraud", "chargeback", 3)], 3, id="fraud"),
        pytest.param([("legitimate", "chargeback", 3)], None, id="legitimate"),
        pytest.param([("fraud", "chargeback", 3), ("fraud", "chargeback", 5, True)], None,
                     id="reversed"),
        pytest.param([("fraud", "chargeback", 5, True), ("fraud", "chargeback", 3)], None,
                     id="the reversal is stored first"),
        pytest.param([("fraud", "rule", 1), ("legitimate", "analyst", 2)], None,
                     id="an analyst is trusted more than a rule"),
        pytest.param([("legitimate", "rule", 1), ("fraud", "analyst", 2)], 2,
                     id="and says fraud"),
        pytest.param([("fraud", "chargeback", 4), ("legitimate", "customer", 6)], 4,
                     id="a later label of a source trusted less"),
        pytest.param([("fraud", "chargeback", 4), ("fraud", "chargeback", 6, True),
                      ("fraud", "customer", 2)], 2, id="a reversal gives way to the next source"),
        pytest.param([("fraud", "analyst", 3), ("legitimate", "analyst", 5)], None,
                     id="of a source the latest counts"),
        pytest.param([("legitimate", "analyst", 5), ("fraud", "analyst", 3)], None,
                     id="by its time, not its arrival"),
    ],
)  # fmt: skip
def test_labels_decide_from_when_on_an_event_is_a_fraud(
    service_engine: Engine, cards: CardTenant, log: DecisionLog,
    labels: list[Said], expected: float | None,
) -> None:  # fmt: skip
    decided = cards.decided()
    log.write([decided])
    for value, source, days, *reversal in labels:
        label(
            service_engine, cards.id, decided.transaction_id, value, NOON + days * DAY,
            source=source, is_reversal=bool(reversal),
        )  # fmt: skip
    assert known(service_engine, decided) == expected


def test_a_label_changes_its_own_event_alone(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    fraud, honest = cards.decided(), cards.decided(TX_AMOUNT=2.0)
    log.write([fraud, honest])
    label(service_engine, cards.id, fraud.transaction_id, "fraud", NOON + DAY)
    frauds = {one.fields["TX_AMOUNT"]: one.fraud_known_us for one in past(service_engine, cards.id)}
    assert frauds == {57.16: NOON_US + 86_400_000_000, 2.0: None}


def test_an_optional_entity_has_the_label_too(
    service_engine: Engine, cards: CardTenant, log: DecisionLog
) -> None:
    decided = cards.decided(DEVICE="phone-1")
    log.write([decided])
    label(service_engine, cards.id, decided.transaction_id, "fraud", NOON + DAY)
    (stored,) = past(service_engine, cards.id, "phone-1", "DEVICE")
    assert stored.fraud_known_us == NOON_US + 86_400_000_000
