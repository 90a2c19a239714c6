"""Run a system with one model, and measure it."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Literal

import httpx
import psutil

from benchmarks.config import OPEN_LOOP_SYSTEMS, Plan
from benchmarks.load.clients import Endpoint, LoadResult, run_load
from benchmarks.load.cpu import Meter, family
from benchmarks.load.open_loop import run_open_load
from benchmarks.load.testbed import Testbed
from benchmarks.models import Prepared
from benchmarks.systems.catalogue import SYSTEMS, Launch, System
from sentinel.local.processes import Child

READY_S = 120.0
WARM_UP = 0.25
"""Length of the warm-up as a share of the measured part."""
WARM_STARTS = 3
"""Number of starts, whose median is the time from start to ready; one start varies by a fifth."""
BURST_CLIENTS = 64
BURST_S = 6.0
"""Longer than 5 s, the interval at which BentoML's rule reads how long batches have waited."""
BURST_SYSTEMS = ("sentinel", "sentinel_stock_wait")

Figures = dict[str, float]
Phase = Literal["score", "open", "batch", "burst"]


class ServerUnderTest:
    """One system with one model, running or suspended."""

    def __init__(
        self, name: str, launch: Launch, testbed: Testbed, model: Prepared, plan: Plan
    ) -> None:
        """Start the system; the service is started several times, so that its cache is warm.

        Args:
            name: name of the system.
            launch: command and environment of the system.
            testbed: Postgres, MLflow and files that the systems share.
            model: model that the system serves.
            plan: plan of the run.

        Raises:
            LoadError, ProcessError, InstallError, SentinelError, OSError, httpx.HTTPError,
            psutil.Error, psycopg.Error: the system does not start (`benchmarks.runner.FAILURES`).
        """
        self.name = name
        self.size = model.size
        self.system: System = SYSTEMS[name]
        self._plan = plan
        self._testbed = testbed
        self._launch = launch
        self.child, self.ready_s = self._started()
        if self.system.is_sentinel:
            starts = []
            for _ in range(WARM_STARTS):
                self.child.stop()
                self.child, ready_s = self._started()
                starts.append(ready_s)
            self.ready_s = statistics.median(starts)
        testbed.own(self.child)
        self._meter = Meter(self.child.identity[0], testbed.home)
        self._rates: defaultdict[int, list[float]] = defaultdict(list)

    def cells(self, phase: Phase) -> list[tuple[str, Callable[[], Figures]]]:
        """Return the measurements of a phase by the name of their load."""
        plan = self._plan
        if phase == "score":
            return [
                (f"score_c{clients}", partial(self._score, clients)) for clients in plan.clients
            ]
        if phase == "batch":
            given = plan.batches if self.system.main else ()
            return [(f"batch_{rows}", partial(self._batch, rows)) for rows in given]
        is_first = self.size == plan.sizes[0]
        if phase == "open":
            given = plan.open_percents if is_first and self.name in OPEN_LOOP_SYSTEMS else ()
            return [(f"open_{percent}", partial(self._open, percent)) for percent in given]
        if is_first and self.name in BURST_SYSTEMS and set(BURST_SYSTEMS) <= set(plan.systems):
            return [("score_c1_after_burst", self._inline_after_burst)]
        return []

    def facts(self) -> Figures:
        """Return the memory now in MB, and the seconds from start to ready."""
        return {
            "rss_mb": round(self._meter.rss_mb(), 1),
            "pss_of_all_processes_mb": round(self._meter.pss_mb(), 1),
            "ready_s": round(self.ready_s, 2),
        }

    def suspend(self) -> None:
        """Suspend all processes of the system (SIGSTOP)."""
        for process in family(self.child.identity[0]):
            process.suspend()

    def resume(self) -> None:
        """Resume all processes of the system."""
        for process in reversed(family(self.child.identity[0])):
            process.resume()

    def stop(self) -> None:
        """Stop the system."""
        with contextlib.suppress(psutil.Error):
            self.resume()
        self.child.stop()

    def _started(self) -> tuple[Child, float]:
        launch = self._launch
        begun = time.perf_counter()
        child = Child(
            self.name,
            launch.command,
            log=self._testbed.home / "logs" / f"{self.name}.log",
            environment=launch.environment,
            directory=launch.directory,
        )
        try:
            while not _is_ready(launch.port, launch.ready):
                child.check()
                if time.perf_counter() - begun > READY_S:
                    child.wait_until(lambda: False, 0)
                time.sleep(0.02)
        except BaseException:
            child.stop()
            raise
        return child, time.perf_counter() - begun

    def _score(self, clients: int, seconds: float | None = None) -> Figures:
        wire = self.system.wire
        figures = self._measured(wire.score_path, wire.bodies(None), clients, 1, seconds)
        self._rates[clients].append(figures["requests_per_s"])
        return figures

    def _open(self, percent: int) -> Figures:
        """Measure the open loop at a share of what the closed loop reached so far."""
        wire, seconds = self.system.wire, self._plan.seconds
        capacity = max(statistics.median(rates) for rates in self._rates.values())
        rate = capacity * percent / 100
        endpoint = self._endpoint(wire.score_path)
        bodies, usage = wire.bodies(None), self._meter.usage
        load = run_open_load(endpoint, bodies, rate, seconds, usage, seconds * WARM_UP)
        return _figures(load, 1) | {"offered_per_s": rate}

    def _batch(self, rows: int) -> Figures:
        wire = self.system.wire
        assert wire.batch_path is not None  # noqa: S101 - only the main systems get batches
        return self._measured(wire.batch_path, wire.bodies(rows), 1, rows)

    def _inline_after_burst(self) -> Figures:
        self._score(BURST_CLIENTS, BURST_S)
        return self._score(1)

    def _measured(
        self, path: str, bodies: list[bytes], clients: int, rows: int, seconds: float | None = None
    ) -> Figures:
        endpoint = self._endpoint(path)
        seconds = seconds or self._plan.seconds
        items, batches = self._batched()
        load = run_load(endpoint, bodies, clients, seconds, self._meter.usage, seconds * WARM_UP)
        figures = _figures(load, rows)
        if self.system.is_sentinel:
            now = self._batched()
            figures["mean_batch"] = (now[0] - items) / max(1.0, now[1] - batches)
        return figures

    def _endpoint(self, path: str) -> Endpoint:
        return Endpoint("127.0.0.1", self._launch.port, path, self._launch.headers)

    def _batched(self) -> tuple[float, float]:
        """Return the items and batches of /score since the service started, from its metric."""
        totals = {"sum": 0.0, "count": 0.0}
        if self.system.is_sentinel:
            url = f"http://127.0.0.1:{self._launch.port}/metrics"
            for line in httpx.get(url, trust_env=False, timeout=10).text.splitlines():
                for name in totals:
                    begin = f"bentoml_service_adaptive_batch_size_{name}{{"
                    if line.startswith(begin) and 'method_name="score_batch"' in line:
                        totals[name] += float(line.rpartition(" ")[2])
        return totals["sum"], totals["count"]


def _figures(load: LoadResult, rows: int) -> Figures:
    return {
        "p50_ms": load.percentile_ms(50),
        "p95_ms": load.percentile_ms(95),
        "p99_ms": load.percentile_ms(99),
        "requests_per_s": load.requests_per_second,
        "rows_per_s": load.requests_per_second * rows,
        "service_cpu_ms": load.service_cpu_ms,
        "postgres_cpu_ms": load.postgres_cpu_ms,
        "client_cpu_ms": load.client_cpu_ms,
        "requests": len(load.latencies_ms),
    }


def _is_ready(port: int, path: str) -> bool:
    try:
        url = f"http://127.0.0.1:{port}{path}"
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
