"""What the page of drift shows, from the latest run and the checks before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from console.charts import Block, grouped_bars, line_points
from console.formats import MISSING, Formats
from persistence.drift.checks import Check, Measure, Run
from persistence.drift.history import PastShift
from scoring.described_features import FeatureDescription
from scoring.evaluation.drift import MODERATE, SCORE

MAX_POINTS = 120
"""Checks that the line has a point for, evenly chosen."""


def chosen_check(run: Run, version: int | None) -> Check | None:
    """Return the check of a version; without a number that of the version in production."""
    if version is not None:
        return next((one for one in run.checks if one.version.version == version), None)
    return next(iter(run.checks), None)


def ordered(check: Check) -> list[Measure]:
    """Return the measures: the score, then features, those that moved most first."""
    return sorted(
        check.measures, key=lambda one: (one.name != SCORE, -(one.shift.psi or 0.0), one.name)
    )


def chosen_measure(measures: Sequence[Measure], name: str | None) -> Measure | None:
    """Return a measure by name; without one the one that moved most."""
    if name is not None:
        return next((one for one in measures if one.name == name), None)
    return max(measures, key=lambda one: one.shift.psi or 0.0, default=None)


@dataclass(frozen=True, slots=True)
class DistributionBin:
    """A range of values.

    Attributes:
        text: range as people read it.
        trained: share of the training rows.
        window: share of the window's rows; 0 without rows.
        count: rows of the window.
    """

    text: str
    trained: float
    window: float
    count: int


def distribution(
    measure: Measure, feature: FeatureDescription | None, formats: Formats
) -> list[DistributionBin]:
    """Return a measure's bins with their shares before and now."""
    rows = sum(measure.counts)
    found = []
    for (low, high), trained, count in zip(
        pairwise([None, *measure.trained.edges, None]),
        measure.trained.proportions,
        measure.counts,
        strict=True,
    ):
        text = feature.display_range(low, high) if feature else None
        found.append(
            DistributionBin(
                text or _range_text(low, high, formats), trained, count / rows if rows else 0, count
            )
        )
    return found


def distribution_bars(bins: Sequence[DistributionBin]) -> list[Block]:
    """Return bars of training and window beside each other."""
    return grouped_bars([(one.trained, one.window) for one in bins], ("trained", "window"))


@dataclass(frozen=True, slots=True)
class ShiftLine:
    """Drift over time.

    Attributes:
        psi, limit: points of the lines of the index and of what chance reaches.
        most: value at the top.
        first, last: first and last check.
    """

    psi: str
    limit: str
    most: float
    first: PastShift
    last: PastShift


def shift_line(history: Sequence[PastShift]) -> ShiftLine | None:
    """Return the lines of drift over time; None with less than two checks."""
    if len(history) < 2:
        return None
    step = max(1, -(-len(history) // MAX_POINTS))
    shown = [*history[-1::-step]][::-1]
    most = max(MODERATE, *(max(one.psi, one.limit_without_drift) for one in shown)) * 1.05
    return ShiftLine(
        line_points([one.psi for one in shown], most),
        line_points([one.limit_without_drift for one in shown], most),
        most,
        shown[0],
        shown[-1],
    )


def _range_text(low: float | None, high: float | None, formats: Formats) -> str:
    if low is None:
        return f"< {formats.number(high)}"
    if high is None:
        return f"≥ {formats.number(low)}"
    return f"{formats.number(low)} {MISSING} {formats.number(high)}"
