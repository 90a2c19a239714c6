"""Render the results as one JSON document and as tables for people."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.load.server_under_test import Figures
from benchmarks.reporting.ratios import DIRECTIONS, absolutes, best_service, ratios
from benchmarks.reporting.targets import TARGETS
from benchmarks.runner import Measured
from benchmarks.systems.catalogue import SYSTEMS

_RANGED = ("p50_ms", "p99_ms", "requests_per_s")


def document(
    about: Mapping[str, Any],
    measured: Measured,
    size: str,
    explained: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the results of a run as one JSON document.

    Args:
        about: facts about command, machine and models.
        measured: figures of every round.
        size: size of the model that the ratios are computed for.
        explained: results of `benchmarks.explain.compare` by size.
    """
    systems: dict[str, Any] = {}
    for (name, of_size, cell), rounds in measured.cells.items():
        systems.setdefault(name, {}).setdefault(of_size, {})[cell] = _summary(rounds)
    ratios_by_name = ratios(measured, size, explained.get(size))
    results: dict[str, Any] = {
        **about,
        "ratios_are_of": {"model": size, "service_at_64_clients": best_service(measured, size)},
        "directions": DIRECTIONS,
        "ratios": {name: ratio and round(ratio.value, 3) for name, ratio in ratios_by_name.items()},
        "ratio_ranges": {
            name: ratio and [round(ratio.lowest, 3), round(ratio.highest, 3)]
            for name, ratio in ratios_by_name.items()
        },
        "absolute": absolutes(measured, size),
        "explanation": dict(explained),
        "systems": systems,
        "processes": {
            name: {s: facts for (n, s), facts in measured.facts.items() if n == name}
            for name in systems
        },
        "errors": {f"{name}, {of_size}": text for (name, of_size), text in measured.errors.items()},
    }
    results["targets"] = [target.judge(results) for target in TARGETS]
    return results


def written(value: Any, depth: int = 0) -> str:  # noqa: ANN401 - JSON
    """Render JSON with each object of plain values on one line."""
    pad = " " * (depth + 1)
    if isinstance(value, Mapping) and any(isinstance(v, Mapping | list) for v in value.values()):
        if not all(_is_plain(v) for v in value.values()):
            members = [f"{pad}{json.dumps(k)}: {written(v, depth + 1)}" for k, v in value.items()]
            return "{\n" + ",\n".join(members) + "\n" + pad[1:] + "}"
    elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
        return "[\n" + ",\n".join(pad + written(v, depth + 1) for v in value) + "\n" + pad[1:] + "]"
    return json.dumps(value, allow_nan=False)


def show(results: Mapping[str, Any], console: Console) -> None:
    """Print every system's figures, and the targets."""
    for size, model in results["models"].items():
        table = Table(title=f"{size}: {model['trees']} trees / {model['leaves']:,} leaves")
        table.add_column("system", no_wrap=True)
        for heading in ("load", "p50 ms", "p95 ms", "p99 ms", "rows/s", "spread"):
            table.add_column(heading, justify="right", no_wrap=True)
        for heading in ("CPU ms", "Postgres", "client", "batch"):
            table.add_column(heading, justify="right")
        for name, sizes in results["systems"].items():
            for cell, row in sizes.get(size, {}).items():
                table.add_row(name, cell, *_cells(row))
            table.add_section()
        console.print(table)
    table = Table(title="Targets")
    for heading in ("figure", "target", "measured", ""):
        table.add_column(heading)
    for target in results["targets"]:
        measured = number(target["measured"])
        table.add_row(target["name"], target["target"], measured, verdict(target["met"]))
    console.print(table)
    for cell, error in results["errors"].items():
        console.print(f"{cell}: {error}", highlight=False, markup=False)


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    low, high = row["requests_per_s_range"]
    return (
        *(f"{row[name]:.2f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
        f"{row['rows_per_s']:,.0f}",
        f"±{50 * (high - low) / row['requests_per_s']:.0f} %",
        *(f"{row[f'{who}_cpu_ms']:.3f}" for who in ("service", "postgres", "client")),
        f"{row['mean_batch']:.1f}" if row.get("mean_batch") else "",
    )


def number(value: float | None) -> str:
    """Render a figure with three significant digits."""
    if value is None:
        return "not measured"
    return (
        f"{value:.2g}"
        if 0 < value < 0.001
        else f"{value:,.3g}"
        if value < 1000
        else f"{value:,.0f}"
    )


def verdict(met: bool | None) -> str:
    """Return the word for whether a target was met."""
    return {True: "met", False: "missed", None: ""}[met]


def summary_of(system: str) -> str:
    """Return the description of a system."""
    return SYSTEMS[system].about


def _summary(rounds: Sequence[Figures]) -> dict[str, Any]:
    medians: dict[str, Any] = {
        name: round(statistics.median(figures[name] for figures in rounds), 4) for name in rounds[0]
    }
    for name in _RANGED:
        values = [figures[name] for figures in rounds]
        medians[f"{name}_range"] = [round(min(values), 4), round(max(values), 4)]
    return medians


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return not any(isinstance(item, Mapping | list) for item in value)
    return not isinstance(value, Mapping)
