"""`make bench`: latency, throughput and CPU of the running system; writes results/latest.json."""

from __future__ import annotations

import json
import os
import socket
import statistics
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.bodies import batch_bodies, score_bodies
from benchmarks.cpu import CpuMeter
from benchmarks.environment import commit, machine
from benchmarks.load import LoadResult, Target, run_load
from sentinel.demo import Demo, sentences
from sentinel.demo_state import read_environment
from sentinel.settings import Settings

RESULTS = Path(__file__).with_name("results") / "latest.json"
CLIENTS = (1, 16, 64)
BATCH_ROWS = (1, 100, 1000)
TABLE_WIDTH = 110


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="Length of one measurement.")
@click.option("--rounds", default=3, show_default=True, help="Medians are taken over these.")
@click.option(
    "--home", default=Path(".sentinel/bench"), show_default=True, type=click.Path(path_type=Path)
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(seconds: float, rounds: int, home: Path, output: Path) -> None:
    """Start the whole system, put load on it, and report what it did."""
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    settings = Settings().model_copy(update={"home": home, "database_url": None})
    port, mlflow_port = _free_port(), _free_port()
    with sentences(), ExitStack() as stack:
        system = Demo(settings, None, port, mlflow_port, stack)
        system.prepare()
        system.serve()
        key = read_environment(settings.home_path / "demo.env")["SENTINEL_API_KEY"]
        bench = Bench(port, key, CpuMeter(settings.home_path), seconds)
        found: dict[str, list[dict[str, float]]] = {}
        for number in range(1, rounds + 1):
            with console.status(f"round {number} of {rounds}"):
                for name, measurement in bench.round().items():
                    found.setdefault(name, []).append(measurement)
        results: dict[str, Any] = {
            "command": "make bench",
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "machine": machine(),
            "model": _model(settings.model_cache),
            "seconds": seconds,
            "rounds": rounds,
            "sentinel": {name: _median(rounds_) for name, rounds_ in found.items()},
            "absolute": {"rss_mb": round(bench.meter.service_rss_mb(), 1)},
        }
    results["absolute"]["cpu_ms_per_score"] = results["sentinel"]["score_c64"]["service_cpu_ms"]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    _show(console, results)
    console.print(f"Written to {os.path.relpath(output)}.")


class Bench:
    """One round: every route at every concurrency or size."""

    def __init__(self, port: int, key: str, meter: CpuMeter, seconds: float) -> None:
        self.meter = meter
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}"}
        self._seconds = seconds
        self._scores = score_bodies()
        self._batches = {rows: batch_bodies(rows) for rows in BATCH_ROWS}

    def round(self) -> dict[str, dict[str, float]]:
        """Measure everything once."""
        measured = {
            f"score_c{clients}": self._measure("/score", self._scores, clients, 1)
            for clients in CLIENTS
        }
        measured |= {
            f"batch_{rows}": self._measure("/score/batch", bodies, 1, rows)
            for rows, bodies in self._batches.items()
        }
        return measured

    def _measure(self, path: str, bodies: list[bytes], clients: int, rows: int) -> dict[str, float]:
        target = Target("127.0.0.1", self._port, path, self._headers)
        before = self.meter.service_s(), self.meter.postgres_s(), self._batched()
        load: LoadResult = run_load(target, bodies, clients, self._seconds)
        service_s = self.meter.service_s() - before[0]
        postgres_s = self.meter.postgres_s() - before[1]
        items, batches = (now - then for now, then in zip(self._batched(), before[2], strict=True))
        return {
            "p50_ms": load.percentile_ms(50),
            "p95_ms": load.percentile_ms(95),
            "p99_ms": load.percentile_ms(99),
            "requests_per_s": load.requests_per_second,
            "rows_per_s": load.requests_per_second * rows,
            # The warm-up's requests were answered too, so CPU is divided by all that were.
            "service_cpu_ms": service_s * 1e3 / load.answered,
            "postgres_cpu_ms": postgres_s * 1e3 / load.answered,
            "mean_batch": items / batches if batches else 0.0,
        }

    def _batched(self) -> tuple[float, float]:
        """Items and batches of /score since the service started, from its own metric."""
        totals = {"sum": 0.0, "count": 0.0}
        text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", trust_env=False).text
        for line in text.splitlines():
            for name in totals:
                if line.startswith(f"bentoml_service_adaptive_batch_size_{name}{{") and (
                    'method_name="score_batch"' in line
                ):
                    totals[name] += float(line.rpartition(" ")[2])
        return totals["sum"], totals["count"]


def _median(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Take each figure's median over the rounds; the spread is that of the rate."""
    rates = [found["requests_per_s"] for found in rounds]
    medians = {
        name: round(statistics.median(found[name] for found in rounds), 3) for name in rounds[0]
    }
    return medians | {"requests_per_s_range": [round(min(rates), 1), round(max(rates), 1)]}


def _show(console: Console, results: dict[str, Any]) -> None:
    model = results["model"]
    table = Table(
        title=f"Sentinel, {model['trees']} trees / {model['leaves']} leaves, "
        f"{results['machine']['cores']} cores shared with Postgres and the clients"
    )
    for heading in ("route", "clients", "p50 ms", "p99 ms", "requests/s", "rows/s"):
        table.add_column(heading, justify="right")
    for heading in ("service CPU ms", "Postgres CPU ms", "mean batch"):
        table.add_column(heading, justify="right")
    for name, row in results["sentinel"].items():
        kind, _, size = name.partition("_")
        route, clients = (
            ("/score", size[1:]) if kind == "score" else (f"/score/batch of {size}", "1")
        )
        table.add_row(
            route,
            clients,
            f"{row['p50_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{row['requests_per_s']:.0f}",
            f"{row['rows_per_s']:.0f}",
            f"{row['service_cpu_ms']:.2f}",
            f"{row['postgres_cpu_ms']:.2f}",
            f"{row['mean_batch']:.1f}" if kind == "score" else "",
        )
    console.print(table)
    console.print(f"Memory of a service worker: {results['absolute']['rss_mb']} MB.")


def _model(cache: Path) -> dict[str, int]:
    """Count the trees and leaves of the model that served."""
    import lightgbm as lgb

    newest = max(cache.glob("*/*/booster.txt"), key=lambda path: path.stat().st_mtime)
    booster = lgb.Booster(model_file=newest)
    leaves = sum(tree["num_leaves"] for tree in booster.dump_model()["tree_info"])
    return {"trees": booster.num_trees(), "leaves": leaves}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
