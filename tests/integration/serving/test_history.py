"""A feature has the same bits in training, from a file, and in serving, from stored events."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.history.folding import fold_history
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.columns import FloatArray
from scoring.event_type.event import Event
from scoring.event_type.validation import EventValidator
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.windows.definition import DAY_US
from serving.history import History
from serving.prepared_entities import PREPARE_FROM, PreparedEntities
from tests.support.data.own_events import SOMEONE, decisions_of, put_in_force
from tests.support.event_types import NOW_US, an_event_type
from tests.support.fixture_types import MakeTenant
from tests.support.own_models import features_of
from training.data.labelled_events import LabelledEvents
from training.event_types.training_data import own_events
from training.features.suggest import suggest

CARDS = an_event_type(
    TERMINAL_ID={"kind": "entity", "entity": "terminal", "role": "payee", "optional": True},
    TX_AMOUNT={"kind": "number", "role": "amount", "min": 0, "max": 1e6, "optional": True},
    ITEMS={"kind": "integer", "optional": True},
    CHIP={"kind": "boolean", "optional": True},
    **{"card limit": {"kind": "number", "optional": True}},
)
OWN = {
    "own_amount": "TX_AMOUNT",
    "free_limit": "field('card limit') - sum(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
    "large_1d": "count(by=CUSTOMER_ID, window='1d', where=TX_AMOUNT > 60)",
    "with_chip": "mean(TX_AMOUNT * ITEMS, by=TERMINAL_ID, window='7d', where=CHIP)",
    "smallest": "min(TX_AMOUNT, by=CUSTOMER_ID, window='3d', where=CHANNEL in ['web', 'pos'])",
    "spread_of_root": "std(sqrt(TX_AMOUNT), by=TERMINAL_ID, window='12h')",
    "different_amounts": "distinct(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
    "channels": "distinct(CHANNEL, by=TERMINAL_ID, window='3d')",
    "pair": "count(by=[CUSTOMER_ID, TERMINAL_ID], window='30d')",
    "pair_last": "seconds_since_last(by=[TERMINAL_ID, CUSTOMER_ID])",
    "first": "first_seen(by=CUSTOMER_ID)",
    "fresh_risk": "fraud_rate(by=TERMINAL_ID, window='14d', delay='1d')",
    "risk": "fraud_rate(by=CUSTOMER_ID, window='28d', delay='7d')",
    "web_risk": "fraud_rate(by=TERMINAL_ID, window='28d', delay='3d', where=CHANNEL == 'web')",
    "minute": "count(by=TERMINAL_ID, window='10m')",
}
SUGGESTED = suggest(CARDS)
FEATURES = ModelFeatures(
    CARDS, FeatureSet((*SUGGESTED.definitions, *features_of(OWN, CARDS).feature_set.definitions))
)
START = datetime(2026, 1, 2, tzinfo=UTC)
LABEL_DELAY = timedelta(days=7)
COUNT = 1500


@dataclass(frozen=True)
class Payment:
    """A generated payment."""

    at: datetime
    body: dict[str, Any]
    is_fraud: bool


def payments(count: int = COUNT, seed: int = 14) -> list[Payment]:
    """Return payments of two months in order of time: with ties, missing values, some frauds."""
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.integers(0, 60 * 24 * 60, count))
    fractions = rng.choice([0, 0, 0, 250_000, 123_456], count)
    times = sorted(
        START + timedelta(minutes=int(m), microseconds=int(f))
        for m, f in zip(minutes, fractions, strict=True)
    )
    times = [times[max(0, i - int(rng.random() < 0.15))] for i in range(count)]
    times.sort()

    def or_missing(value: Any, share: float) -> Any:
        return None if rng.random() < share else value

    made = []
    for at in times:
        values = {
            "TX_DATETIME": at.isoformat(),
            "CUSTOMER_ID": f"C{int(rng.zipf(1.4)) % 40}",
            "TERMINAL_ID": or_missing(f"T{rng.integers(25)}", 0.05),
            "TX_AMOUNT": or_missing(_amount(rng), 0.05),
            "CHANNEL": or_missing(rng.choice(["pos", "web", "atm"]).item(), 0.1),
            "ITEMS": or_missing(int(rng.integers(0, 5)), 0.2),
            "CHIP": or_missing(bool(rng.random() < 0.5), 0.2),
            "card limit": or_missing(float(rng.integers(1, 50) * 100), 0.3),
        }
        body = {name: value for name, value in values.items() if value is not None}
        made.append(Payment(at, body, bool(rng.random() < 0.08)))
    return made


def _amount(rng: np.random.Generator) -> float:
    """Return amounts whose sums depend on the order of addition, and a few odd ones."""
    odd = [0.0, -0.0, 0.1 + 0.2, 1e-7, 999_999.99, 5.0]
    return float(rng.choice(odd)) if rng.random() < 0.1 else float(rng.lognormal(3.5, 1.2))


def write(path: Path, made: Sequence[Payment]) -> Path:
    """Write payments with their labels as CSV."""
    names = [*CARDS.kept, "TX_FRAUD"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        for payment in made:
            cells = {
                name: str(value).lower() if isinstance(value, bool) else value
                for name, value in payment.body.items()
            }
            writer.writerow(cells | {"TX_FRAUD": int(payment.is_fraud)})
    return path


@pytest.fixture(scope="module")
def made() -> list[Payment]:
    return payments()


@pytest.fixture(scope="module")
def offline(made: list[Payment], tmp_path_factory: pytest.TempPathFactory) -> LabelledEvents:
    """The payments as a training reads them from a file."""
    return own_events(write(tmp_path_factory.mktemp("file") / "payments.csv", made), CARDS, 0)


class Moving:
    """Moves the recent events of every second call's entities to segments, at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls = 0

    def add(self, tenant_id: int, entities: Collection[tuple[str, str]]) -> None:
        """Move the events."""
        self._calls += 1
        if self._calls % 2:
            fold_history(self._engine, tenant_id, entities)


class Online:
    """A service that scores payments as they come, and learns of frauds a week later."""

    def __init__(
        self,
        engine: Engine,
        service_engine: Engine,
        tenant: Tenant,
        prepare_from: int = PREPARE_FROM,
    ) -> None:
        stored = put_in_force(engine, tenant, CARDS)
        self._engine = service_engine
        self._tenant_id = tenant.id
        self._validator = EventValidator(CARDS, stored.id)
        self._log = DecisionLog(service_engine)
        # The clock passes every pause.
        self._prepared = PreparedEntities(service_engine, clock=count(step=60).__next__)
        self._history = History(
            service_engine, Moving(service_engine), self._prepared, prepare_from
        )
        self._frauds: list[tuple[datetime, Decided]] = []

    def score(self, batch: Sequence[Payment]) -> FloatArray:
        """Return the features of a batch, and store its decisions."""
        self._report_frauds(batch[-1].at)
        self._prepared.prepare()
        events: list[Event] = [self._validator.validate(one.body, NOW_US) for one in batch]
        windows = self._history.windows(self._tenant_id, FEATURES, events)
        matrix = FEATURES.matrix_of(events, windows)
        decided = decisions_of(self._tenant_id, events)
        assert self._log.write(decided) == decided
        self._frauds += [
            (payment.at + LABEL_DELAY, decision)
            for payment, decision in zip(batch, decided, strict=True)
            if payment.is_fraud
        ]
        return matrix

    def prepared_customers(self) -> dict[str, int]:
        """Return the number of prepared events of each customer that has any."""
        (windows,) = (one for one in FEATURES.by_entity if one.entity == "CUSTOMER_ID")
        keys = [f"C{number}" for number in range(40)]
        found = {key: self._prepared.get(self._tenant_id, windows, key, 2**62) for key in keys}
        return {key: one.entity.columns.time_us.size for key, one in found.items() if one}

    def _report_frauds(self, now: datetime) -> None:
        known = [
            NewLabel(None, decided.transaction_id, "fraud", "chargeback", at)
            for at, decided in self._frauds
            if at <= now
        ]
        self._frauds = [(at, decided) for at, decided in self._frauds if at > now]
        if known:
            with tenant_transaction(self._engine, self._tenant_id, actor=SOMEONE) as connection:
                store_labels(connection, self._tenant_id, known, SOMEONE)


@pytest.fixture
def online(engine: Engine, service_engine: Engine, make_tenant: MakeTenant) -> Online:
    return Online(engine, service_engine, make_tenant())


def batches(made: Sequence[Payment], sizes: Iterator[int]) -> Iterator[Sequence[Payment]]:
    start = 0
    while start < len(made):
        size = next(sizes)
        yield made[start : start + size]
        start += size


def differing(online: FloatArray, offline: FloatArray) -> dict[str, int]:
    """How many values of each feature do not have the same bits; any NaN is the same."""
    assert online.shape == offline.shape
    bits = [np.where(np.isnan(m), np.nan, m).view(np.int64) for m in (online, offline)]
    counts = (bits[0] != bits[1]).sum(axis=0).tolist()
    return {name: n for name, n in zip(FEATURES.names, counts, strict=True) if n}


def test_the_payments_exercise_every_window(offline: LabelledEvents) -> None:
    matrix = offline.matrix(FEATURES)
    assert offline.time_us is not None
    assert (np.diff(offline.time_us) == 0).sum() > 100, "there are ties"
    for name, column in zip(FEATURES.names, matrix.T, strict=True):
        assert len(np.unique(column[~np.isnan(column)])) > 1, name
    assert {window.function for window in FEATURES.windows} == {
        "count", "sum", "mean", "max", "min", "std", "distinct", "seconds_since_last",
        "first_seen", "fraud_rate",
    }  # fmt: skip


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(chain(repeat(1, 300), repeat(100)), id="one by one, then in batches"),
        pytest.param((int(n) for n in np.random.default_rng(3).integers(1, 90, COUNT)), id="mixed"),
    ],
)
def test_offline_equals_online_bit_for_bit(
    online: Online, made: list[Payment], offline: LabelledEvents, sizes: Iterator[int]
) -> None:
    served = np.vstack([online.score(batch) for batch in batches(made, sizes)])
    assert differing(served, offline.matrix(FEATURES)) == {}


def test_prepared_entities_have_the_bits_of_the_file(
    engine: Engine,
    service_engine: Engine,
    make_tenant: MakeTenant,
    made: list[Payment],
    offline: LabelledEvents,
) -> None:
    online = Online(engine, service_engine, make_tenant(), prepare_from=1)
    sizes = chain(repeat(25, 40), repeat(1, 100), repeat(40))
    served = np.vstack([online.score(batch) for batch in batches(made, sizes)])
    assert differing(served, offline.matrix(FEATURES)) == {}
    assert sum(online.prepared_customers().values()) >= 512, "customers have full segments"


def test_each_of_the_last_payments_one_by_one_equals_the_file(
    online: Online, made: list[Payment], offline: LabelledEvents
) -> None:
    for batch in batches(made[:-300], repeat(100)):
        online.score(batch)
    served = np.vstack([online.score([payment]) for payment in made[-300:]])
    assert differing(served, offline.matrix(FEATURES)[-300:]) == {}


def test_another_tenants_events_are_no_history(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, made: list[Payment]
) -> None:
    mine, other = (Online(engine, service_engine, make_tenant(slug)) for slug in ("mine", "other"))
    other.score(made[:200])
    alone = mine.score(made[200:201])
    counted = [i for i, name in enumerate(FEATURES.names) if "_events_" in name]
    assert counted
    # A count is 0, and a share of two counts is missing.
    assert not np.nan_to_num(alone[0, counted]).any()


@pytest.fixture
def of_one_card(engine: Engine, service_engine: Engine, make_tenant: MakeTenant) -> OfOneCard:
    return OfOneCard(engine, service_engine, make_tenant())


class OfOneCard:
    """Payments of one card, an hour apart, and how many before it each sees within 30 days."""

    def __init__(self, engine: Engine, service_engine: Engine, tenant: Tenant) -> None:
        self._validator = EventValidator(CARDS, put_in_force(engine, tenant, CARDS).id)
        prepared = PreparedEntities(service_engine)
        self._history = History(service_engine, Moving(service_engine), prepared)
        self._log = DecisionLog(service_engine)
        self._tenant_id = tenant.id

    def payment(self, hour: int, external_id: str | None = None) -> Event:
        at = (START + timedelta(hours=hour)).isoformat()
        body = {"TX_DATETIME": at, "CUSTOMER_ID": "C1", "external_id": external_id}
        return self._validator.validate(body, NOW_US)

    def store(self, *events: Event) -> None:
        self._log.write(decisions_of(self._tenant_id, events))

    def seen(self, *events: Event, are_new: bool = True) -> list[float]:
        windows = self._history.windows(self._tenant_id, FEATURES, events, are_new=are_new)
        (place,) = (
            i
            for i, window in enumerate(FEATURES.windows)
            if (window.function, window.by, window.window_us, window.where)
            == ("count", ("CUSTOMER_ID",), 30 * DAY_US, None)
        )
        return list(windows[place].tolist())


def test_an_event_that_is_stored_is_not_seen_a_second_time_in_a_batch(
    of_one_card: OfOneCard,
) -> None:
    first, second = (of_one_card.payment(hour, f"payment-{hour}") for hour in (1, 2))
    of_one_card.store(first)
    batch = [first, second, second, of_one_card.payment(3)]
    assert of_one_card.seen(*batch) == [0, 1, 1, 2]
    assert of_one_card.seen(of_one_card.payment(4)) == [1], "nothing was stored"


def test_events_that_are_only_explained_do_not_see_each_other(of_one_card: OfOneCard) -> None:
    of_one_card.store(of_one_card.payment(0))
    asked = [of_one_card.payment(hour) for hour in (1, 2, 3)]
    assert of_one_card.seen(*asked, are_new=False) == [1, 1, 1]


def test_stored_events_that_are_scored_in_shadow_are_seen_once(of_one_card: OfOneCard) -> None:
    decided = [of_one_card.payment(hour, f"payment-{hour}") for hour in (1, 2, 3)]
    of_one_card.store(*decided)
    assert of_one_card.seen(*decided, are_new=False) == [0, 1, 2]
    assert of_one_card.seen(*decided, of_one_card.payment(4), are_new=False)[-1] == 3
