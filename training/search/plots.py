"""Plot savings against the time to explain one row."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from training.reporting.figure_style import BLUE, GREY, MONEY_TICKS, ORANGE, new_figure
from training.search.selection import Choice


def savings_by_latency(choice: Choice, budget_us: float | None) -> Figure:
    """Draw the savings of a search's models over their explaining time, and mark the chosen one.

    Error bars show the standard error of the difference from the best.
    """
    figure, axes = new_figure("Net savings by explaining time, of the models that were tried", 8.0)
    if choice.best is not None:
        axes.axhline(choice.best.savings, color=BLUE, linewidth=1, label="most savings")
    for is_tied, colour, label in (
        (True, BLUE, "within one standard error of it"), (False, GREY, "others"),
    ):  # fmt: skip
        shown = [s for s in choice.ranked if s.is_tied is is_tied]
        if shown:
            # Upwards only: the bar of a model that is tied with the best reaches its line.
            axes.errorbar(
                [s.batch_us for s in shown], [s.savings for s in shown],
                yerr=[[0.0] * len(shown), [s.behind_error for s in shown]],
                fmt="o", color=colour, markersize=6, elinewidth=1, capsize=3, label=label,
            )  # fmt: skip
    for candidate in choice.ranked:
        axes.annotate(
            str(candidate.number), (candidate.batch_us, candidate.savings), fontsize=8,
            xytext=(5, 4), textcoords="offset points", color=GREY,
        )  # fmt: skip
    if choice.chosen is not None:
        axes.plot(
            choice.chosen.batch_us, choice.chosen.savings, "o", color=ORANGE, markersize=11,
            zorder=3, label=f"chosen: trial {choice.chosen.number}, "
            f"{MONEY_TICKS(choice.chosen.savings)} at {choice.chosen.batch_us:.3g} µs",
        )  # fmt: skip
    if budget_us is not None:
        axes.axvline(budget_us, color=GREY, linestyle=":", label=f"budget {budget_us:g} µs")
    axes.set(
        xscale="log", xlabel="Scoring and explaining, microseconds a row in batches of 64",
        ylabel="Net savings on the threshold part, cross-fitted",
    )  # fmt: skip
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(MONEY_TICKS)
    axes.legend(loc="lower right", frameon=True, framealpha=0.95, edgecolor="none")
    return figure
