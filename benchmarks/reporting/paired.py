"""Figures of two sides that received the same loads in turn, with their ratio in each round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from rich.table import Table

FIGURES = ("p50_ms", "requests_per_s", "service_cpu_ms", "postgres_cpu_ms")

Rounds = Sequence[Mapping[str, float]]
"""The figures of each round, by name."""


def paired_table(one: str, other: str, found: Mapping[tuple[str, str], Rounds]) -> Table:
    """Return the medians of FIGURES, and the median and range of the rounds' ratios.

    Args:
        one: side that the other is divided by.
        other: other side.
        found: rounds by load and side; each load has as many of both sides.
    """
    table = Table("load", "figure", one, other, f"{other} over {one} (rounds)")
    for load in dict.fromkeys(load for load, _ in found):
        ours, theirs = found[load, one], found[load, other]
        for figure in FIGURES:
            ratios = [b[figure] / a[figure] for a, b in zip(ours, theirs, strict=True)]
            medians = [statistics.median(of[figure] for of in side) for side in (ours, theirs)]
            table.add_row(
                load,
                figure,
                *(f"{median:,.3f}" for median in medians),
                f"{statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})",
            )
    return table
