"""`python -m benchmarks report`: make the page's tables and its picture from the results.

The text between the markers of the page is replaced, so it always agrees with the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.reporting.plots import draw
from benchmarks.reporting.results import number, summary_of, verdict

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BATCHING = ("sentinel", "sentinel_unbatched", "sentinel_on_threads", "sentinel_stock_wait")
"""Systems that the section on batching compares."""
PICTURE = Path("images/performance.png")


def refresh(results: Path, page: Path) -> None:
    """Write the results into the page and draw its picture.

    Args:
        results: JSON file of the results.
        page: Markdown page with the markers.

    Raises:
        click.ClickException: there are no results, or the page has no markers.
    """
    if not results.is_file():
        raise click.ClickException(f"{results} does not exist; run `make bench` first.")
    document = json.loads(results.read_text())
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise click.ClickException(f"{page} lacks the markers {BEGIN} and {END}.")
    draw(document, page.parent / PICTURE)
    page.write_text(f"{before}{BEGIN}\n\n{figures(document)}\n\n{END}{after}")


def figures(results: Mapping[str, Any]) -> str:
    """Render the results as Markdown."""
    return "\n\n".join(
        [
            _conditions(results),
            "### Targets\n\n" + _targets(results),
            f"![Requests a second and latency of every system]({PICTURE})",
            *(
                f"### {_model_title(results, size)}\n\n{_systems(results, size)}"
                for size in results["models"]
            ),
            "### Batching\n\n" + _batching(results),
            "### Explaining\n\n" + _explaining(results),
            *([_errors(results)] if results["errors"] else []),
        ]
    )


def _conditions(results: Mapping[str, Any]) -> str:
    machine, postgres = results["machine"], results["postgres"]
    models = results["ratios_are_of"]
    return (
        f"`{results['command']}` at commit `{str(results['commit'])[:10]}`, "
        f"{results['measured_at'][:16].replace('T', ' ')} UTC, {results['minutes']:.0f} minutes: "
        f"{results['rounds']} rounds, {results['seconds']:g} s a measurement.\n"
        f"{machine['cpu']}, {machine['cores']} cores shared by service, Postgres and client, "
        f"{machine['memory_gb']:.0f} GB, {machine['kernel']}, Python {machine['python']}; load "
        f"before the start {machine['load_before'][0]:.2f}.\n"
        f"Postgres {postgres['server_version']} with fsync {postgres['fsync']} and "
        f"synchronous_commit {postgres['synchronous_commit']}. "
        + ", ".join(f"{name} {of}" for name, of in machine["packages"].items())
        + f". The service ran in {results.get('service_environment', 'this environment')}."
        + f"\n\nRatios are of the {models['model']} model; at 64 clients the service is "
        f"`{models['service_at_64_clients']}`, the one that serves most there."
    )


def _targets(results: Mapping[str, Any]) -> str:
    ranges = {
        f"ratios.{name}": f"{number(spread[0])} to {number(spread[1])}"
        for name, spread in results["ratio_ranges"].items()
        if spread
    }
    rows = [
        (
            target["name"],
            target["target"],
            number(target["measured"]),
            ranges.get(target["figure"], ""),
            verdict(target["met"]),
        )
        for target in results["targets"]
    ]
    return table(("figure", "target", "measured", "spread over the rounds", ""), rows)


def _model_title(results: Mapping[str, Any], size: str) -> str:
    model = results["models"][size]
    return f"{size.capitalize()} model: {model['trees']} trees, {model['leaves']:,} leaves"


def _systems(results: Mapping[str, Any], size: str) -> str:
    rows = []
    for name, sizes in results["systems"].items():
        for cell, row in sizes.get(size, {}).items():
            low, high = row["requests_per_s_range"]
            rows.append(
                (
                    f"`{name}`",
                    load(cell),
                    *(number(row[key]) for key in ("p50_ms", "p95_ms", "p99_ms")),
                    number(row["rows_per_s"]),
                    f"±{50 * (high - low) / row['requests_per_s']:.0f} %",
                    *(number(row[f"{who}_cpu_ms"]) for who in ("service", "postgres", "client")),
                )
            )
    memory = [
        (f"`{name}`", number(f["rss_mb"]), number(f["pss_of_all_processes_mb"]), f"{f['ready_s']}")
        for name, sizes in results["processes"].items()
        if (f := sizes.get(size))
    ]
    latency = ("system", "load", "p50 ms", "p95 ms", "p99 ms", "rows/s", "spread")
    cpu = ("service CPU ms", "Postgres CPU ms", "client CPU ms")
    started = ("system", "largest process, MB", "all its processes, MB", "start to ready, s")
    return table((*latency, *cpu), rows) + "\n\n" + table(started, memory)


def _batching(results: Mapping[str, Any]) -> str:
    size = results["ratios_are_of"]["model"]
    ways = [way for way in BATCHING if way in results["systems"]]
    cells_by_way = {way: results["systems"][way].get(size, {}) for way in ways}
    cells = [cell for cell in cells_by_way.get("sentinel", {}) if cell.startswith("score")]
    rows = []
    for cell in cells:
        by_way = [cells_by_way[way].get(cell) for way in ways]
        rows.append(
            (
                load(cell),
                *(number(f["requests_per_s"]) if f else "" for f in by_way),
                *(number(f["p50_ms"]) if f else "" for f in by_way),
                number(cells_by_way["sentinel"][cell].get("mean_batch")),
            )
        )
    headings = [*(f"`{way}` requests/s" for way in ways), *(f"`{way}` p50 ms" for way in ways)]
    about = "\n".join(f"- `{way}`: {summary_of(way)}" for way in ways)
    return about + "\n\n" + table(("load", *headings, "mean batch"), rows)


def _explaining(results: Mapping[str, Any]) -> str:
    rows = []
    for size, explanation in results["explanation"].items():
        for count, times in explanation["rows"].items():
            low, high = times["times_faster_range"]
            rows.append(
                (
                    size,
                    count,
                    *(number(times[k]) for k in ("cpu_ms", "wall_ms")),
                    *(number(times[f"pred_contrib_{k}"]) for k in ("cpu_ms", "wall_ms")),
                    f"{times['times_faster']:.2f}",
                    f"{low:.2f} to {high:.2f}",
                )
            )
    headings = ("model", "rows", "CPU ms", "wall ms", "pred_contrib CPU ms", "wall ms")
    tables = [table((*headings, "times faster", "middle half of the pairs"), rows)]
    by_woodelf = [
        (size, number(w["rows"]), number(w["cpu_ms"]), number(w["wall_ms"]))
        for size, explanation in results["explanation"].items()
        if (w := explanation.get("woodelf"))
    ]
    if by_woodelf:
        tables.append(table(("model", "rows", "woodelf CPU ms", "wall ms"), by_woodelf))
    return "\n\n".join(tables)


def _errors(results: Mapping[str, Any]) -> str:
    lines = [f"- {cell}: {error}" for cell, error in results["errors"].items()]
    return "### What could not be measured\n\n" + "\n".join(lines)


def load(cell: str) -> str:
    """Return the description of a cell's load."""
    kind, _, rest = cell.partition("_")
    if kind == "batch":
        return f"batches of {rest}"
    if kind == "open":
        return f"open loop, {rest} %"
    if rest == "c1_after_burst":
        return "1 client after 64"
    return f"{rest[1:]} client{'s' if rest != 'c1' else ''}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
