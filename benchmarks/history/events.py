"""Past events of many entities and of a hot one, and the payments that are scored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from persistence.history.writer import PastEvent
from scoring.columns import Columns, TextColumn
from scoring.event_type.document import from_document
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.windows.definition import DAY_US
from sentinel.history_rows import past_events

EVENT_TYPE = from_document(
    {
        "name": "card_payment",
        "fields": {
            "time": {"kind": "timestamp", "role": "time"},
            "customer": {"kind": "entity", "entity": "customer", "role": "payer"},
            "terminal": {"kind": "entity", "entity": "terminal", "role": "payee"},
            "amount": {"kind": "number", "role": "amount", "min": 0},
            "channel": {"kind": "category", "values": ["pos", "web", "atm"]},
        },
    }
)
EVENTS_OF_AN_ENTITY = 100
"""Past events of an entity, on average."""
HOT = "hot"
"""Customer with `hot_events` past events."""
SPAN_US = 90 * DAY_US
FRAUD_SHARE = 0.005
LABEL_DELAY_US = 7 * DAY_US
CHUNK = 1_000_000
"""Events that are made at a time."""
BODIES = 4_000
BATCH_BODIES = 16
_CHANNELS = ("pos", "web", "atm")


def with_windows() -> ModelFeatures:
    """Return 42 features: 40 windows over two kinds of entity, the amount and the hour."""
    expressions = {"amount": "amount", "hour": "hour(time)"}
    for by, other in (("customer", "terminal"), ("terminal", "customer")):
        for window in ("1h", "1d", "7d", "30d"):
            expressions[f"{by}_count_{window}"] = f"count(by={by}, window='{window}')"
            for function in ("sum", "mean", "std"):
                value = f"{function}(amount, by={by}, window='{window}')"
                expressions[f"{by}_{function}_{window}"] = value
        expressions[f"{by}_max"] = f"max(amount, by={by}, window='30d')"
        expressions[f"{by}_distinct"] = f"distinct({other}, by={by}, window='30d')"
        expressions[f"{by}_last"] = f"seconds_since_last(by={by})"
        expressions[f"{by}_risk"] = f"fraud_rate(by={by}, window='28d', delay='7d')"
    return _features(expressions)


def without_windows() -> ModelFeatures:
    """Return as many features of the event alone."""
    powers = {f"amount_{i}": f"amount * {i}" for i in range(2, 42)}
    return _features({"amount": "amount", "hour": "hour(time)", **powers})


def _features(expressions: dict[str, str]) -> ModelFeatures:
    definitions = tuple(FeatureDefinition(*pair) for pair in expressions.items())
    return ModelFeatures(EVENT_TYPE, FeatureSet(definitions))


@dataclass(frozen=True)
class Past:
    """Past events that end at a moment.

    Attributes:
        tenant: slug of the tenant.
        events: number of events, besides those of the hot customer.
        hot_events: number of events of the hot customer.
        until: time after the last event.
    """

    tenant: str
    events: int
    hot_events: int
    until: datetime

    @property
    def entities(self) -> int:
        """Number of customers, and of terminals."""
        return max(1, self.events // EVENTS_OF_AN_ENTITY)

    def batches(self) -> Iterator[list[PastEvent]]:
        """Yield batches of past events of entities."""
        rng = np.random.default_rng(1)
        made = 0
        while made < self.events:
            count = min(CHUNK, self.events - made)
            names = tuple(f"C{i}" for i in range(self.entities))
            customers = TextColumn(rng.integers(0, self.entities, count), names)
            yield from self._batches(rng, count, customers)
            made += count
        if self.hot_events:
            hot = TextColumn(np.zeros(self.hot_events, np.int64), (HOT,))
            for batch in self._batches(rng, self.hot_events, hot):
                yield [event for event in batch if event.entity == "customer"]

    def _batches(
        self, rng: np.random.Generator, count: int, customers: TextColumn
    ) -> Iterator[list[PastEvent]]:
        end_us = int(self.until.timestamp()) * 1_000_000
        time_us = np.sort(end_us - 1 - (rng.random(count) * SPAN_US).astype(np.int64))
        terminals = tuple(f"M{i}" for i in range(self.entities))
        columns: Columns = {
            "time": time_us / 1e6,
            "customer": customers,
            "terminal": TextColumn(rng.integers(0, self.entities, count), terminals),
            "amount": rng.lognormal(3, 1, count).round(2),
            "channel": TextColumn(rng.integers(0, 3, count), _CHANNELS),
        }
        is_fraud = rng.random(count) < FRAUD_SHARE
        return past_events(self.tenant, EVENT_TYPE, columns, time_us, is_fraud, LABEL_DELAY_US)

    def bodies(self, rows: int | None, customer: str | None = None) -> list[bytes]:
        """Return bodies of /score, or of /score/batch with a number of payments each.

        Args:
            rows: payments of a body; None for /score.
            customer: customer of every payment; None for random ones.
        """
        rng = np.random.default_rng(2)

        def payment(number: int) -> dict[str, Any]:
            return {
                "time": (self.until + timedelta(seconds=number)).isoformat(),
                "customer": customer or f"C{rng.integers(self.entities)}",
                "terminal": f"M{rng.integers(self.entities)}",
                "amount": round(rng.lognormal(3, 1), 2),
                "channel": str(rng.choice(_CHANNELS)),
            }

        if rows is None:
            return [json.dumps(payment(number)).encode() for number in range(BODIES)]
        return [
            json.dumps({"transactions": [payment(i * rows + n) for n in range(rows)]}).encode()
            for i in range(BATCH_BODIES)
        ]


def until_now() -> datetime:
    """Return the end of the past: an hour ago, so that payments after it are not in the future."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
