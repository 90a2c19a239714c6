"""What proposed thresholds change, as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.threshold_change import ThresholdChange, ThresholdFigures

Unit = Literal["count", "a_day", "money"]
ROWS: tuple[tuple[str, Unit], ...] = (
    ("reviews", "a_day"),
    ("declines", "a_day"),
    ("caught", "count"),
    ("missed", "count"),
    ("false_alarms", "count"),
    ("false_declines", "count"),
    ("savings", "money"),
)
"""Figures in the order of the table, each with its unit."""


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One figure of the thresholds in force and of the proposed ones.

    Attributes:
        name: name of the figure.
        unit: unit of its values.
        before: figure of the thresholds in force.
        after: figure of the proposed ones.
        difference: after minus before.
    """

    name: str
    unit: Unit
    before: Interval
    after: Interval
    difference: Interval


def effect_rows(change: ThresholdChange, days: float) -> list[EffectRow]:
    """Return the rows of the table.

    Args:
        change: results of both pairs of thresholds.
        days: length of the time of the decisions, days.
    """

    def figure(figures: ThresholdFigures, name: str, unit: Unit) -> Interval:
        found: Interval = getattr(figures, name)
        by = days if unit == "a_day" else 1.0
        return Interval(found.value / by, found.low / by, found.high / by)

    return [
        EffectRow(
            name,
            unit,
            *(
                figure(side, name, unit)
                for side in (change.before, change.after, change.difference)
            ),
        )
        for name, unit in ROWS
    ]
