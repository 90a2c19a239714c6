"""The filters of a search as they stand in the address, and the search that they describe."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from persistence.review.cases import Label
from persistence.review.event_search import (
    MAX_DAYS,
    EventSearch,
    FieldFilter,
    TooWide,
    Verdict,
)
from scoring.event_type.fields import EventType, Field
from scoring.policy import OUTCOMES, RISK_BANDS, Outcome, RiskBand

RANGES = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
DEFAULT_RANGE = "30d"
VERDICTS: tuple[Verdict, ...] = (*get_args(Label), "none")
MAX_LENGTH = 200
_PLAIN = (
    *("q", "external_id", "range", "from", "to", "band", "outcome", "verdict"),
    *("amount_min", "amount_max", "score_min", "score_max"),
)
_TEXTS = ("category", "boolean", "entity", "text")
_NUMBERS = ("number", "integer")


@dataclass(frozen=True, slots=True)
class Form:
    """The filters of the address.

    Attributes:
        values: text of each filter that is given, by the name of its parameter.
        problems: what is wrong with a filter, by its name: key of a text.
        search: the search; None where a filter is wrong.
        is_default_range: whether no time was chosen, so that the latest days are searched.
    """

    values: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)
    search: EventSearch | None = None
    is_default_range: bool = False

    @property
    def query(self) -> str:
        """The filters as parameters of an address."""
        return urlencode(self.values)


def filterable(event_type: EventType) -> list[Field]:
    """Return the fields that have a filter of their own; the amount has one on every page."""
    return [
        one
        for one in event_type.kept.values()
        if one.role != "amount" and one.kind in (*_TEXTS, *_NUMBERS)
    ]


def read_form(
    parameters: Mapping[str, str], event_type: EventType, zone: ZoneInfo, now: datetime
) -> Form:
    """Return the filters of an address.

    Args:
        parameters: parameters of the address; unknown ones are left out.
        event_type: the tenant's event type.
        zone: zone of times without one.
        now: current time.
    """
    known = [*_PLAIN, *(name for one in filterable(event_type) for name in names_of(one))]
    values = {name: parameters.get(name, "").strip() for name in known}
    values = {name: value for name, value in values.items() if value}
    return _Reader(values, event_type, zone, now).form()


def names_of(one: Field) -> tuple[str, ...]:
    """Return the parameters of a field's filter."""
    if one.kind in _NUMBERS:
        return (f"f.{one.name}.min", f"f.{one.name}.max")
    return (f"f.{one.name}",)


class _Reader:
    """Reads values one by one and collects what is wrong."""

    def __init__(
        self, values: Mapping[str, str], event_type: EventType, zone: ZoneInfo, now: datetime
    ) -> None:
        self._values = values
        self._event_type = event_type
        self._zone = zone
        self._now = now
        self._problems: dict[str, str] = {}

    def form(self) -> Form:
        for name, value in self._values.items():
            if len(value) > MAX_LENGTH or "\0" in value:
                self._problems[name] = "search.problems.long"
        fields = tuple(self._fields())
        start, end = self._time("from"), self._time("to")
        is_indexed = bool(
            self._values.get("q")
            or self._values.get("external_id")
            or any(one.is_indexed for one in fields)
        )
        chosen = self._choice("range", tuple(RANGES))
        has_time = start is not None or end is not None
        is_default = not has_time and chosen is None and not is_indexed
        if not has_time and (chosen or is_default):
            start = self._now - RANGES[chosen or DEFAULT_RANGE]
        if start is None and end is not None and not is_indexed:
            start = end - timedelta(days=MAX_DAYS)
        if start is not None and end is not None and end < start:
            self._problems["to"] = "search.problems.backwards"
        score_min, score_max = self._number("score_min"), self._number("score_max")
        for name, score in (("score_min", score_min), ("score_max", score_max)):
            if score is not None and not 0 <= score <= 100:
                self._problems[name] = "search.problems.percent"
        values = {
            "from_ms": _unix_ms(start),
            "to_ms": _unix_ms(end),
            "typed": self._values.get("q"),
            "external_id": self._values.get("external_id"),
            "amount_min": self._number("amount_min"),
            "amount_max": self._number("amount_max"),
            "score_min": None if score_min is None else score_min / 100,
            "score_max": None if score_max is None else score_max / 100,
        }
        band = cast("RiskBand | None", self._choice("band", RISK_BANDS))
        outcome = cast("Outcome | None", self._choice("outcome", OUTCOMES))
        verdict = cast("Verdict | None", self._choice("verdict", VERDICTS))
        if self._problems:
            return Form(self._values, self._problems)
        try:
            search = EventSearch(
                self._event_type,
                band=band,
                outcome=outcome,
                verdict=verdict,
                fields=fields,
                **values,  # type: ignore[arg-type]
            )
        except TooWide:
            return Form(self._values, {"from": "search.problems.wide"})
        return Form(self._values, {}, search, is_default)

    def _fields(self) -> Iterator[FieldFilter]:
        for one in filterable(self._event_type):
            names = [name for name in names_of(one) if name in self._values]
            if not names:
                continue
            if one.kind in _NUMBERS:
                low, high = (self._number(name) for name in names_of(one))
                yield FieldFilter(one, minimum=low, maximum=high)
            else:
                yield FieldFilter(one, self._values[names[0]])

    def _number(self, name: str) -> float | None:
        text = self._values.get(name)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._problems[name] = "search.problems.number"
            return None
        return number

    def _choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self._values.get(name)
        if value is not None and value not in choices:
            self._problems[name] = "search.problems.choice"
            return None
        return value

    def _time(self, name: str) -> datetime | None:
        text = self._values.get(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
            return max(moment.astimezone(UTC), datetime(1970, 1, 1, tzinfo=UTC))
        except (ValueError, OverflowError):
            self._problems[name] = "search.problems.time"
            return None


def _unix_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
