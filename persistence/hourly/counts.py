"""What is counted of the decisions of an hour, and how counts are added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from scoring.policy import OUTCOMES, RISK_BANDS, Outcome, RiskBand

KINDS: tuple[tuple[Outcome, RiskBand], ...] = tuple(
    (outcome, band) for outcome in OUTCOMES for band in RISK_BANDS
)
"""Outcome and band of a decision, in the order of the arrays."""
SCORE_EDGES = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
)  # fmt: skip
"""Bin i of the scores is [edge i-1, edge i): finer where almost all payments are."""
LATENCY_EDGES_MS = (
    0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0,
    50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0, 2000.0, 5000.0,
)  # fmt: skip
"""Bins of the service's latency, ms, as for scores."""
MAX_FIELDS = 8
"""Category fields of an event type that are counted, the first ones."""
MAX_VALUES = 20
"""Values of a category that are counted apart, the first ones that came; the rest is one count."""


def _by_kind() -> list[int]:
    return [0] * len(KINDS)


def _money_by_kind() -> list[float]:
    return [0.0] * len(KINDS)


@dataclass(slots=True)
class Counts:
    """Counts of decisions; each list is by kind, in the order of KINDS, unless it says otherwise.

    Attributes:
        decisions: decisions.
        amounts: their amounts, money; an event without an amount has 0.
        frauds: those whose label that counts is fraud.
        fraud_amounts: their amounts.
        honest: those whose label that counts is legitimate.
        settled: those that an analyst has decided.
        settled_amounts: their amounts.
        scores: decisions by bin of SCORE_EDGES.
        latencies: decisions by bin of LATENCY_EDGES_MS.
    """

    decisions: list[int] = field(default_factory=_by_kind)
    amounts: list[float] = field(default_factory=_money_by_kind)
    frauds: list[int] = field(default_factory=_by_kind)
    fraud_amounts: list[float] = field(default_factory=_money_by_kind)
    honest: list[int] = field(default_factory=_by_kind)
    settled: list[int] = field(default_factory=_by_kind)
    settled_amounts: list[float] = field(default_factory=_money_by_kind)
    scores: list[int] = field(default_factory=lambda: [0] * (len(SCORE_EDGES) + 1))
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_EDGES_MS) + 1))

    def add(self, other: Counts) -> None:
        """Add other counts to these."""
        for name in COLUMNS:
            mine, more = getattr(self, name), getattr(other, name)
            for place, number in enumerate(more):
                mine[place] += number

    def total(self, outcome: Outcome | None = None) -> int:
        """Return the number of decisions, of one outcome or of all."""
        return sum(
            count
            for (kind, _), count in zip(KINDS, self.decisions, strict=True)
            if outcome in (None, kind)
        )


COLUMNS = tuple(one.name for one in fields(Counts))
"""Names of the lists, which are columns of `decision_hours`."""


@dataclass(slots=True)
class CategoryCount:
    """Decisions with one value of a category.

    Attributes:
        decisions: decisions.
        flagged: those of them that were reviewed or declined.
        amount: their amounts, money.
    """

    decisions: int = 0
    flagged: int = 0
    amount: float = 0.0

    def add(self, other: CategoryCount) -> None:
        """Add another count to this one."""
        self.decisions += other.decisions
        self.flagged += other.flagged
        self.amount += other.amount


Category = tuple[str, str | None]
"""Name of a field and one of its values; None: all values that are not counted apart."""
KeptValues = Mapping[str, list[str]]
"""Values that are counted apart, by name of the field."""


@dataclass(slots=True)
class HourCounts:
    """Counts of some decisions by the hour (UTC) in which they were made.

    Attributes:
        counts: counts by hour.
        categories: counts by hour and category.
    """

    counts: dict[datetime, Counts] = field(default_factory=lambda: defaultdict(Counts))
    categories: dict[tuple[datetime, Category], CategoryCount] = field(
        default_factory=lambda: defaultdict(CategoryCount)
    )


def kept_values(kept: KeptValues, found: Iterable[Category]) -> dict[str, list[str]]:
    """Return the values that are counted apart once further ones have come.

    A value that found no place never gets one later, so that its count is never split.

    Args:
        kept: values that are counted apart so far.
        found: values in the order in which they get the places that are left.
    """
    values = {name: list(known) for name, known in kept.items()}
    for name, value in found:
        known = values.setdefault(name, [])
        if value is not None and value not in known and len(known) < MAX_VALUES:
            known.append(value)
    return values
