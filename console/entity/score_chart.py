"""The scores of an entity's events over time, as the paths of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from console.scales import Scale
from persistence.entities.events import EntityEvent
from scoring.policy import RISK_BANDS

WIDTH, HEIGHT = 1000, 100
_STEP_X, _STEP_Y = 5, 2
"""Distances below which two dots are one: a thousand events stay a small page."""


@dataclass(frozen=True, slots=True)
class ScoreChart:
    """Dots of a chart that is WIDTH wide and HEIGHT high; a path of a dot has no length.

    Attributes:
        paths: path of the dots of each band, riskiest last.
        frauds: path of the rings around known frauds.
        mark: position of the event that is looked at; None where it is not in the chart.
        since: time at the left end.
        until: time at the right end.
    """

    paths: dict[str, str]
    frauds: str
    mark: int | None
    since: datetime
    until: datetime


def score_chart(events: Sequence[EntityEvent], here: UUID | None = None) -> ScoreChart | None:
    """Return the chart of events; None without any.

    Args:
        events: events, the newest first.
        here: id of the event that is looked at.
    """
    if not events:
        return None
    since, until = events[-1].decided_at, events[0].decided_at
    if until - since < timedelta(minutes=1):
        since, until = since - timedelta(hours=12), until + timedelta(hours=12)
    axis = Scale(since.timestamp(), until.timestamp())
    dots: dict[str, set[tuple[int, int]]] = {band: set() for band in reversed(RISK_BANDS)}
    frauds: set[tuple[int, int]] = set()
    mark = None
    for event in events:
        dot = _dot(axis, event)
        dots[event.risk_band].add(dot)
        if event.is_fraud:
            frauds.add(dot)
        if event.id == here:
            mark = dot[0]
    return ScoreChart(
        {band: _path(found) for band, found in dots.items() if found},
        _path(frauds),
        mark,
        events[-1].decided_at,
        events[0].decided_at,
    )


def _dot(axis: Scale, event: EntityEvent) -> tuple[int, int]:
    across = round(axis.at(event.decided_at.timestamp()) * 10 / _STEP_X) * _STEP_X
    down = HEIGHT - round(event.score * HEIGHT / _STEP_Y) * _STEP_Y
    return across, down


def _path(dots: set[tuple[int, int]]) -> str:
    return "".join(f"M{across} {down}h0" for across, down in sorted(dots))
