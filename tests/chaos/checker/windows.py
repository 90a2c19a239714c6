"""Windows of stored decisions against the payments that were committed before them.

A window is right if some set of payments explains it that holds every payment which was surely
committed before the decision was asked for, and none that was sent only after it was answered.
Each value is recomputed by the definition, by looking at every payment.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from math import inf, isnan

from scoring.windows.definition import WindowDefinition
from tests.chaos.checker.evidence import Evidence, Finding
from tests.chaos.payments import CARDS, WINDOWS, mark_of
from tests.chaos.tables import TWICE, Row
from tests.support.expressions.naive_windows import NaiveEvent, naive_value
from tests.support.own_models import features_of

DRAINED_S = 2.0
"""Time from the beginning of a drainer's transaction after which it has surely committed."""
MOST_OPEN = 8
"""Payments of which it is open whether a window saw them, up to which all sets are tried."""


_SHOWN = 4
"""Possible values that a finding names."""


@dataclass(frozen=True, slots=True)
class _Event:
    """A stored card payment, and when it was committed.

    Attributes:
        asked: when it was first sent.
        answered: when its first answer was there; infinite without one.
        committed: when it was surely in Postgres; infinite if nothing shows when.
        batch: operation of the batch that decided it, and its place there.
    """

    row: Row
    time_us: int
    amount: float
    asked: float
    answered: float
    committed: float
    batch: tuple[str, int] | None


class Windows:
    """Checks windows, and counts how.

    Attributes:
        counts: number of windows by how they were checked.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.counts: Counter[str] = Counter()

    def wrong(self) -> Iterator[Finding]:
        """Find windows that no set of payments explains."""
        definitions = _definitions()
        for (_, field, _), events in self._by_entity.items():
            times = [event.time_us for event in events]
            for event in events:
                earlier = events[: bisect_left(times, event.time_us)]
                for name, definition in definitions.items():
                    if definition.by == (field,):
                        yield from self._check(name, definition, event, earlier)

    @cached_property
    def _by_entity(self) -> dict[tuple[str, str, str], list[_Event]]:
        entities: dict[tuple[str, str, str], list[_Event]] = defaultdict(list)
        for row in self._evidence.tables.rows:
            if "CUSTOMER_ID" in row.body and (event := self._event(row)) is not None:
                for field in ("CUSTOMER_ID", "TERMINAL_ID"):
                    entities[row.tenant, field, str(row.body[field])].append(event)
        for events in entities.values():
            events.sort(key=lambda event: event.time_us)
        return entities

    def _event(self, row: Row) -> _Event | None:
        key = row.tenant, mark_of(row.body)
        sent = self._evidence.sent.get(key)
        if not sent:
            return None  # a probe, whose card nobody else uses
        answers = [
            answer
            for answer in self._evidence.answers.get(key, [])
            if answer.decision["prediction_id"] == row.prediction_id
        ]
        answered = min((answer.attempt.got for answer in answers), default=inf)
        stored = min((a.attempt.got for a in answers if not a.is_journalled), default=inf)
        drained = inf if row.drained is None else row.drained + DRAINED_S
        first = sent[0].attempt
        return _Event(
            row,
            round(datetime.fromisoformat(row.body["TX_DATETIME"]).timestamp() * 1e6),
            float(row.body["TX_AMOUNT"]),
            asked=first.sent,
            answered=answered,
            committed=min(stored, drained),
            batch=(first.operation, sent[0].place) if len(first.payments) > 1 else None,
        )

    def _check(
        self, name: str, definition: WindowDefinition, event: _Event, earlier: Sequence[_Event]
    ) -> Iterator[Finding]:
        if any(definition.by[0] in text for text in event.row.unread_windows):
            self.counts["not read, and named so"] += 1
            return
        surely = [other for other in earlier if _saw(event, other) is True]
        open_ = [other for other in earlier if _saw(event, other) is None]
        value = event.row.features[name]
        if len(open_) > MOST_OPEN:
            self.counts["too open to tell"] += 1
            return
        self.counts["exactly" if not open_ else "among what was open"] += 1
        possible = []
        for size in range(len(open_) + 1):
            for chosen in itertools.combinations(open_, size):
                computed = _value(definition, event, [*surely, *chosen])
                if value == computed:
                    return
                possible.append(computed)
        mark = mark_of(event.row.body)
        number = self._evidence.sent[event.row.tenant, mark][0].attempt.number
        if other := self._other_tenant(definition, event, [*surely, *open_]):
            sentence = (
                f"{name} of {event.row.prediction_id} is {value!r}, which counts payments of"
                f" {other} too."
            )
            yield Finding("crossed", sentence, event.row.tenant, mark, number)
            return
        known = ", ".join(sorted({repr(one) for one in possible[:_SHOWN]}))
        more = f" or one of {len(possible)} values" if len(possible) > _SHOWN else ""
        sentence = (
            f"{name} of {event.row.prediction_id} is {value!r}; by the payments committed before,"
            f" it is {known}{more}."
        )
        yield Finding("wrong windows", sentence, event.row.tenant, mark, number)

    def _other_tenant(
        self, definition: WindowDefinition, event: _Event, own: Sequence[_Event]
    ) -> str | None:
        """Return the tenant whose payments of the same entity explain a window with the own ones.

        Args:
            definition: window.
            event: payment whose window it is.
            own: payments of its tenant that the window may have seen.
        """
        (field,) = definition.by
        value = event.row.features[_name_of(definition)]
        for (tenant, of_field, key), events in self._by_entity.items():
            is_same = of_field == field and key == str(event.row.body[field])
            if is_same and tenant != event.row.tenant:
                theirs = [one for one in events if one.asked < event.answered]
                if value == _value(definition, event, [*own, *theirs]):
                    return tenant
        return None

    def miscounted(self) -> Iterator[Finding]:
        """Find stored payments that the past of an entity does not have once."""
        tables = self._evidence.tables
        kept = Counter(tables.past)
        for row in tables.rows:
            for field in ("CUSTOMER_ID", "TERMINAL_ID"):
                if (key := row.body.get(field)) is None:
                    continue
                count = kept.pop((row.tenant, field, str(key), row.transaction_id), 0)
                if count != 1:
                    sentence = f"The past of {field} {key} has {row.transaction_id} {count} times."
                    yield Finding("wrong windows", sentence, row.tenant, mark_of(row.body))
        for (tenant, field, key, event_id), count in kept.items():
            what = event_id if event_id == TWICE else f"{event_id}, which is no transaction of it,"
            sentence = f"The past of {field} {key} has {what} {count} times."
            yield Finding("wrong windows", sentence, tenant)


def _saw(event: _Event, other: _Event) -> bool | None:
    """Return whether a payment's windows must hold another one; None where both are right."""
    if event.batch and other.batch and event.batch[0] == other.batch[0]:
        return other.batch[1] < event.batch[1]
    if other.committed < event.asked:
        return True
    return False if other.asked > event.answered else None


def _value(definition: WindowDefinition, event: _Event, seen: Sequence[_Event]) -> float | None:
    past = [NaiveEvent(one.time_us, "key", one.amount) for one in seen]
    value = naive_value(past, NaiveEvent(event.time_us, "key"), definition)
    return None if isnan(value) else value


def _name_of(definition: WindowDefinition) -> str:
    return next(name for name, one in _definitions().items() if one == definition)


@cache
def _definitions() -> dict[str, WindowDefinition]:
    definitions = features_of(WINDOWS, CARDS).windows
    return dict(zip(WINDOWS, definitions, strict=True))
