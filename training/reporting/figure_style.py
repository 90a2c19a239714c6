"""The style that all plots share: colours, resolution, ticks."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

BLUE, ORANGE, GREY = "#2563a8", "#d97706", "#6b7280"
DPI = 130
MONEY_TICKS = FuncFormatter(
    lambda value, _: (
        f"{value / 1e6:,.3g} M" if abs(value) >= 1e6 else f"{value / 1e3:,.4g} k" if value else "0"
    )
)
"""Formats amounts of money in thousands and millions."""


def new_figure(title: str, width: float = 7.5, height: float = 5.0) -> tuple[Figure, Axes]:
    """Return a figure with one plot in it.

    Args:
        title: line above the plot.
        width: inches.
        height: inches.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    set_style(axes, title)
    return figure, axes


def set_style(axes: Axes, title: str) -> None:
    """Give a plot its title and the style of all plots."""
    axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
