"""Shapes of charts that templates draw as SVG; texts stand beside them, at a size one can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

WIDTH = 1000.0
"""Width of a chart, units of its view box; the page stretches it."""
HEIGHT = 100.0
"""Height of a chart, likewise."""
_GAP = 0.18
"""Share of a bar's place that is left free."""
LEVELS = 5
"""Shades of a heat map."""


@dataclass(frozen=True, slots=True)
class Block:
    """One rectangle of a bar.

    Attributes:
        series: class that gives it its colour.
        x, y, width, height: its place, units of the view box.
    """

    series: str
    x: float
    y: float
    width: float
    height: float


def stacked_bars(values: Sequence[Sequence[float]], series: Sequence[str]) -> list[Block]:
    """Return bars whose parts stand on each other; the highest takes the whole height.

    Args:
        values: for each bar the values of its parts, at least 0, the lowest part first.
        series: class of each part.
    """
    most = max((sum(bar) for bar in values), default=0)
    blocks = []
    for place, bar in enumerate(values):
        top = HEIGHT
        for name, value in zip(series, bar, strict=True):
            height = HEIGHT * value / most if most else 0.0
            top -= height
            if height:
                blocks.append(_block(name, place, len(values), top, height))
    return blocks


def grouped_bars(values: Sequence[Sequence[float]], series: Sequence[str]) -> list[Block]:
    """Return bars that stand beside each other in groups.

    Args:
        values: for each group the values of its bars, at least 0.
        series: class of each bar.
    """
    most = max((value for group in values for value in group), default=0)
    slot = WIDTH / max(len(values), 1)
    width = slot * (1 - _GAP) / len(series)
    return [
        Block(
            name,
            round(place * slot + slot * _GAP / 2 + number * width, 1),
            round(HEIGHT * (1 - value / most), 1),
            round(width, 1),
            round(HEIGHT * value / most, 1),
        )
        for place, group in enumerate(values)
        for number, (name, value) in enumerate(zip(series, group, strict=True))
        if value
    ]


def logarithmic_bars(
    counts: Sequence[int], series: Sequence[str]
) -> tuple[list[Block], list[float]]:
    """Return bars on a logarithmic scale, and the heights of the powers of ten.

    A count of 1 has a tenth of a power's height, so that it differs from none.

    Args:
        counts: count of each bar.
        series: class of each bar.
    """
    powers = log10(max(max(counts, default=0), 10)) + 0.1
    blocks = []
    for place, (name, count) in enumerate(zip(series, counts, strict=True)):
        if count:
            height = HEIGHT * (log10(count) + 0.1) / powers
            blocks.append(_block(name, place, len(counts), HEIGHT - height, height))
    lines = [round(HEIGHT * (1 - (power + 0.1) / powers), 1) for power in range(int(powers) + 1)]
    return blocks, lines


def share_of(value: float, most: float) -> float:
    """Return the width of a bar that lies, units of the view box."""
    return round(WIDTH * value / most, 1) if most else 0.0


def heat_paths(rows: Sequence[Sequence[int]]) -> list[str]:
    """Return a path of unit squares for each shade, the lightest first; 0 has none."""
    most = max((value for row in rows for value in row), default=0)
    paths: list[list[str]] = [[] for _ in range(LEVELS)]
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if value:
                level = min(int(LEVELS * value / most), LEVELS - 1)
                paths[level].append(f"M{x} {y}h.92v.9h-.92z")
    return ["".join(path) for path in paths]


def line_points(values: Sequence[float], most: float) -> str:
    """Return the points of a line over the whole width, from the left to the right.

    Args:
        values: values, at least 0.
        most: value at the top.
    """
    step = WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{place * step:.1f},{HEIGHT * (1 - value / most):.1f}"
        for place, value in enumerate(values)
    )


def spread_out(labels: Sequence[str], most: int = 4) -> list[str]:
    """Return some labels for the axis: the first, the last, and some between."""
    if len(labels) <= most:
        return list(labels)
    return [labels[round(i * (len(labels) - 1) / (most - 1))] for i in range(most)]


def _block(series: str, place: int, bars: int, y: float, height: float) -> Block:
    slot = WIDTH / bars
    x, width = place * slot + slot * _GAP / 2, slot * (1 - _GAP)
    return Block(series, round(x, 1), round(y, 1), round(width, 1), round(height, 1))
