"""Prepared past events of an entity follow what is stored, whoever stores it."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.history.folding import fold_history
from persistence.history.removal import remove_history
from persistence.history.writer import import_history
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from scoring.columns import Columns, FloatArray, TextColumn
from scoring.event_type.event import Event
from scoring.labels import LabelValue
from scoring.windows.definition import DAY_US
from sentinel.history_rows import past_events
from serving.history import History
from serving.prepared_entities import MAX_AGE_S, MOST_BYTES, PreparedEntities
from tests.support.data.own_events import SOMEONE, CardTenant, label
from tests.support.event_types import an_event_type
from tests.support.fixture_types import Rows
from tests.support.own_models import features_of

CARDS = an_event_type(TERMINAL_ID={"kind": "entity", "entity": "terminal", "optional": True})
FEATURES = features_of(
    {
        "count": "count(by=CUSTOMER_ID, window='30d')",
        "mean": "mean(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
        "spread": "std(TX_AMOUNT, by=CUSTOMER_ID, window='7d')",
        "largest": "max(TX_AMOUNT, by=CUSTOMER_ID, window='7d')",
        "terminals": "distinct(TERMINAL_ID, by=CUSTOMER_ID, window='30d')",
        "last": "seconds_since_last(by=CUSTOMER_ID)",
        "risk": "fraud_rate(by=CUSTOMER_ID, window='28d', delay='1h')",
        "pair": "count(by=[CUSTOMER_ID, TERMINAL_ID], window='30d')",
    },
    CARDS,
)
(WINDOWS,) = FEATURES.by_entity
START_US = 1_767_312_000_000_000  # 2026-01-02


class HotCustomer:
    """A customer with many payments, whose windows are read with a prepared past and without."""

    def __init__(self, engine: Engine, service_engine: Engine, slug: str) -> None:
        self.engine = engine
        self.service_engine = service_engine
        self.cards = CardTenant(engine, CARDS, slug)
        self.clock_s = 0.0
        self.prepared = self.prepared_by(service_engine)
        self._log = DecisionLog(service_engine)
        self._rng = np.random.default_rng(7)
        self._with = History(service_engine, self, self.prepared, prepare_from=1)
        self._without = History(service_engine, self, PreparedEntities(service_engine), 2**31)
        self.now_us = START_US
        self.decided: list[Decided] = []

    def prepared_by(self, engine: Engine, most_bytes: int = MOST_BYTES) -> PreparedEntities:
        return PreparedEntities(engine, most_bytes, clock=lambda: self.clock_s)

    def add(self, _tenant_id: int, _entities: object) -> None:
        """Leave recent events where they are."""

    def payment(self, time_us: int) -> Event:
        return self.cards.event(
            TX_DATETIME=f"{np.datetime64(time_us, 'us')}Z",
            CUSTOMER_ID="hot",
            TERMINAL_ID=f"T{self._rng.integers(9)}",
            TX_AMOUNT=round(float(self._rng.lognormal(3)), 2),
        )

    def pay(self, payments: int, *, late_us: int = 0) -> None:
        """Store payments, in order of time; late ones do not move the time of the next."""
        for start in range(0, payments, 500):
            events = []
            for _ in range(min(500, payments - start)):
                if not late_us:
                    self.now_us += int(self._rng.integers(1, 600_000_000))
                events.append(self.payment(self.now_us - late_us))
            decided = self.cards.decision_of(events)
            assert self._log.write(decided) == decided
            self.decided += decided

    def fold(self) -> None:
        fold_history(self.service_engine, self.cards.id, [("CUSTOMER_ID", "hot")])

    def report(self, value: LabelValue, decided: Decided) -> None:
        # A later label of the same source replaces an earlier one.
        self.now_us += 1
        label(self.engine, self.cards.id, decided.transaction_id, value, self.now())

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_us / 1e6, UTC)

    def import_past(self, payments: int) -> None:
        offsets = np.sort(self._rng.integers(1, 20 * DAY_US, payments))
        time_us = self.now_us - offsets[::-1]
        columns: Columns = {
            "TX_DATETIME": time_us / 1e6,
            "CUSTOMER_ID": TextColumn(np.zeros(payments, np.int64), ("hot",)),
            "TERMINAL_ID": TextColumn(self._rng.integers(0, 9, payments), tuple("ABCDEFGHI")),
            "TX_AMOUNT": self._rng.lognormal(3, 1, payments).round(2),
            "CHANNEL": TextColumn(np.full(payments, -1), ()),
        }
        is_fraud = self._rng.random(payments) < 0.1
        batches = past_events("hot", CARDS, columns, time_us, is_fraud, 1)
        import_history(self.engine, self.cards.id, batches, SOMEONE)

    def prepare(self) -> int:
        """Prepare what is wanted; return the number of prepared events."""
        self._with.windows(self.cards.id, FEATURES, [self.payment(self.now_us + 1)])
        self.clock_s += 60
        self.prepared.prepare()
        return self.events()

    def size(self) -> int:
        found = self.prepared.get(self.cards.id, WINDOWS, "hot", 2**62)
        assert found is not None
        return found.size

    def events(self) -> int:
        found = self.prepared.get(self.cards.id, WINDOWS, "hot", 2**62)
        return found.entity.columns.time_us.size if found else 0

    def differing(self, *times_us: int) -> list[str]:
        """Return the features that differ where the past is prepared."""
        events = [self.payment(time_us) for time_us in times_us or (self.now_us + 1,)]
        one, other = (
            np.vstack(history.windows(self.cards.id, FEATURES, events))
            for history in (self._with, self._without)
        )
        assert not np.isnan(other[:6]).all(), "the customer has a past"
        return _differing(one, other)


def _differing(one: FloatArray, other: FloatArray) -> list[str]:
    bits = [np.where(np.isnan(values), np.nan, values).view(np.int64) for values in (one, other)]
    return [
        str(window) for window, a, b in zip(FEATURES.windows, *bits, strict=True) if (a != b).any()
    ]


@pytest.fixture
def hot(engine: Engine, service_engine: Engine) -> HotCustomer:
    customer = HotCustomer(engine, service_engine, "cards")
    customer.pay(700)
    return customer


def test_full_segments_are_prepared_and_the_rest_is_read(hot: HotCustomer) -> None:
    assert hot.events() == 0
    assert hot.prepare() == 700
    hot.pay(40)
    assert hot.differing() == []
    hot.pay(200)
    assert hot.differing(hot.now_us, hot.now_us + 5, hot.now_us + 5, hot.now_us + DAY_US) == []
    assert hot.prepare() == 940
    assert hot.differing() == []


def test_an_import_is_prepared_although_its_last_segments_are_not_full(
    hot: HotCustomer,
) -> None:
    for _ in range(3):
        hot.import_past(200)
    assert hot.prepare() == 1300
    assert hot.differing() == []
    hot.import_past(300)
    assert hot.differing() == [], "events of the past are seen"
    assert hot.prepare() == 1600 - 300 % 128, "the last ones are read"
    assert hot.differing() == []


def test_late_payments_and_payments_before_the_prepared_time_have_their_windows(
    hot: HotCustomer,
) -> None:
    hot.fold()
    assert hot.prepare() == 700
    hot.pay(30, late_us=2 * DAY_US)
    assert hot.differing(hot.now_us - 2 * DAY_US, hot.now_us - DAY_US // 2, hot.now_us) == []
    assert hot.differing(START_US + DAY_US) == []


def test_frauds_that_become_known_or_are_withdrawn_afterwards_are_seen(hot: HotCustomer) -> None:
    for decided in hot.decided[300:320]:
        hot.report("fraud", decided)
    hot.fold()
    hot.pay(20)
    hot.report("fraud", hot.decided[-1])
    assert hot.prepare() == 700
    assert hot.differing(hot.now_us + DAY_US) == []
    hot.report("fraud", hot.decided[500])
    hot.report("legitimate", hot.decided[300])
    hot.report("fraud", hot.decided[-2])
    hot.report("legitimate", hot.decided[-1])
    assert hot.differing(hot.now_us + DAY_US) == []
    hot.pay(300)
    hot.fold()
    hot.prepare()
    assert hot.differing(hot.now_us + DAY_US) == []


def test_a_fraud_whose_transaction_ends_after_the_preparation_is_seen(hot: HotCustomer) -> None:
    hot.fold()
    with tenant_transaction(hot.engine, hot.cards.id, actor=SOMEONE) as connection:
        fraud = NewLabel(None, hot.decided[400].transaction_id, "fraud", "chargeback", hot.now())
        assert store_labels(connection, hot.cards.id, [fraud], SOMEONE).unknown == []
        assert hot.prepare() == 700
    hot.report("fraud", hot.decided[401])
    assert hot.differing(hot.now_us + DAY_US) == []


def test_removed_events_are_not_seen_any_more(hot: HotCustomer) -> None:
    hot.fold()
    assert hot.prepare() == 700
    remove_history(hot.engine, hot.cards.id, SOMEONE)
    hot.pay(3)
    assert hot.differing() == []
    assert hot.events() == 0
    hot.pay(200)
    assert hot.prepare() == 203


def test_removed_events_are_not_prepared_again(hot: HotCustomer) -> None:
    hot.fold()
    assert hot.prepare() == 700
    remove_history(hot.engine, hot.cards.id, SOMEONE)
    hot.pay(200)
    hot.prepared.want(hot.cards.id, WINDOWS, "hot", START_US)
    hot.clock_s += 60
    hot.prepared.prepare()
    assert hot.events() == 0
    assert hot.prepare() == 200


def test_another_tenants_customer_of_the_same_name_is_another_one(
    hot: HotCustomer, engine: Engine, service_engine: Engine
) -> None:
    hot.fold()
    assert hot.prepare() == 700
    other = HotCustomer(engine, service_engine, "other")
    other.pay(1)
    assert hot.prepared.get(other.cards.id, WINDOWS, "hot", 2**62) is None


def test_what_is_prepared_is_forgotten_before_maintenance_deletes_changes(
    hot: HotCustomer,
) -> None:
    hot.fold()
    assert hot.prepare() == 700
    hot.clock_s += MAX_AGE_S
    assert hot.events() == 700
    hot.clock_s += 1
    assert hot.events() == 0


def test_windows_of_a_replaced_model_are_forgotten_once_nothing_asks_for_them(
    hot: HotCustomer,
) -> None:
    features = features_of({"count": "count(by=CUSTOMER_ID, window='30d')"}, CARDS)
    (windows,) = features.by_entity
    for key in ("hot", "other"):
        hot.prepared.want(hot.cards.id, windows, key, START_US)
    hot.prepared.get(hot.cards.id, windows, "hot", 2**62)
    hot.prepared.prepare()
    assert hot.prepared.get(hot.cards.id, windows, "hot", 2**62)
    replaced = weakref.ref(windows)
    del features, windows

    hot.clock_s += MAX_AGE_S - 60
    assert hot.prepare() == 700, "the next model's, 60 s later"
    assert replaced()
    assert hot.prepared.usage().entities == 2
    hot.clock_s += 1
    hot.prepared.prepare()
    gc.collect()
    assert replaced() is None
    assert hot.events() == 700
    assert hot.prepared.usage().entities == 1


def test_entities_with_most_events_are_prepared_when_a_model_begins_to_serve(
    hot: HotCustomer,
) -> None:
    hot.import_past(4200)
    assert hot.events() == 0
    hot.prepared.prepare()
    assert hot.events() == 4900
    assert hot.differing() == []


def test_a_busy_entity_is_prepared_again_after_a_pause(hot: HotCustomer) -> None:
    assert hot.prepare() == 700
    hot.pay(200)
    hot.clock_s -= 60
    assert hot.prepare() == 700, "at the same time"
    assert hot.prepare() == 900


def test_the_least_used_are_forgotten_where_memory_ends(
    hot: HotCustomer, engine: Engine, service_engine: Engine
) -> None:
    assert hot.prepared.usage() == (0, 0)
    hot.prepare()
    size = hot.size()
    assert 700 * 50 < size < 700 * 2_000
    assert hot.prepared.usage() == (1, size)
    other = HotCustomer(engine, service_engine, "other")
    other.pay(700)
    few = hot.prepared_by(service_engine, most_bytes=size + size // 2)

    def kept() -> list[bool]:
        found = [few.get(one.cards.id, WINDOWS, "hot", 2**62) for one in (hot, other)]
        return [one is not None for one in found]

    for one in (hot, other):
        few.want(one.cards.id, WINDOWS, "hot", START_US)
        few.prepare()
    assert kept() == [False, True]
    assert few.usage().entities == 1
    assert few.usage().size <= size + size // 2


def test_an_entity_that_takes_more_than_all_memory_leaves_the_others(
    hot: HotCustomer,
    engine: Engine,
    service_engine: Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = HotCustomer(engine, service_engine, "other")
    other.pay(300)
    few = hot.prepared_by(service_engine, most_bytes=hot.prepare() and hot.size() - 1)
    for _ in range(2):
        for one in (other, hot):
            few.want(one.cards.id, WINDOWS, "hot", START_US)
        few.prepare()
    assert few.get(other.cards.id, WINDOWS, "hot", 2**62) is not None
    assert few.get(hot.cards.id, WINDOWS, "hot", 2**62) is None
    (record,) = [record for record in caplog.records if "too many" in record.message]
    assert "A CUSTOMER_ID of tenant" in record.message, "once, since it waits before it tries again"


def test_an_entity_is_not_moved_while_an_import_or_another_process_moves_it(
    hot: HotCustomer, rows: Rows
) -> None:
    locks = (
        "pg_advisory_xact_lock(hashtextextended('history import', :tenant_id))",
        "pg_advisory_xact_lock(hashtextextended("
        """'["fold", "CUSTOMER_ID", "hot"]', :tenant_id))""",
    )
    for lock in locks:
        with tenant_transaction(hot.engine, hot.cards.id, actor=SOMEONE) as connection:
            connection.execute(text(f"SELECT {lock}"), {"tenant_id": hot.cards.id})
            hot.fold()
            assert rows("SELECT FROM entity_segments") == []
    hot.fold()
    assert len(rows("SELECT FROM entity_segments")) == 1
