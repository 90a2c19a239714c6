"""Draw the picture of a run: requests a second and latency of every system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

mpl.use("Agg")
COLOURS = {
    "sentinel": "#0b6e4f",
    "sentinel_2_workers": "#35a37f",
    "insert_only": "#555555",
    "constant_reply": "#aaaaaa",
    "reference": "#e0a4a4",
    "reference_one_thread": "#c23b3b",
    "mlserver": "#3b6fc2",
    "mlflow": "#8a5fc2",
}
_DPI = 120
_PLAIN = StrMethodFormatter("{x:,g}")


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw the results for the model of the ratios.

    Args:
        results: JSON document of the results.
        path: PNG file that is written.
    """
    size = results["ratios_are_of"]["model"]
    model = results["models"][size]
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.8), layout="constrained")
    _lines(axes[0], results, size, "requests_per_s", "requests a second")
    _lines(axes[1], results, size, "p50_ms", "p50, ms")
    _batches(axes[2], results, size)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=8, frameon=False)
    figure.suptitle(
        f"{model['trees']} trees / {model['leaves']:,} leaves, {results['machine']['cores']} cores "
        "shared by service, Postgres and client; medians, bars from lowest to highest round"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    plt.close(figure)


def _lines(axis: Axes, results: Mapping[str, Any], size: str, figure: str, title: str) -> None:
    all_clients: set[int] = set()
    for name, colour in COLOURS.items():
        cells = results["systems"].get(name, {}).get(size, {})
        by_clients = {
            int(cell.removeprefix("score_c")): row
            for cell, row in cells.items()
            if cell.removeprefix("score_c").isdigit()
        }
        if not by_clients:
            continue
        all_clients |= set(by_clients)
        values = [row[figure] for row in by_clients.values()]
        ranges = [row[f"{figure}_range"] for row in by_clients.values()]
        errors = [
            [max(0.0, value - low) for value, (low, _) in zip(values, ranges, strict=True)],
            [max(0.0, high - value) for value, (_, high) in zip(values, ranges, strict=True)],
        ]
        axis.errorbar(
            list(by_clients), values, yerr=errors, label=name, color=colour, marker="o", capsize=2
        )
    axis.set(xscale="log", yscale="log", xlabel="clients", title=f"/score: {title}")
    ticks = sorted(all_clients)
    axis.set_xticks(ticks, [str(clients) for clients in ticks], minor=False)
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(_PLAIN)
    axis.grid(visible=True, axis="y", alpha=0.3)


def _batches(axis: Axes, results: Mapping[str, Any], size: str) -> None:
    rates = {
        name: cells["batch_1000"]["rows_per_s"]
        for name in COLOURS
        if "batch_1000" in (cells := results["systems"].get(name, {}).get(size, {}))
    }
    bars = axis.barh(list(rates), list(rates.values()), color=[COLOURS[name] for name in rates])
    axis.bar_label(bars, [f"{rate:,.0f}" for rate in rates.values()], padding=3, fontsize=8)
    axis.set(xscale="log", xlabel="rows a second", title="/score/batch of 1000")
    # A logarithmic scale has no zero, so the bars begin at 100.
    axis.set_xlim(100, 8 * max(rates.values(), default=100))
    axis.xaxis.set_major_formatter(_PLAIN)
    axis.minorticks_off()
    axis.invert_yaxis()
