"""Run the rounds of loads: each system in turn, so that the machine's noise affects all equally.

A system is started once a model. While another is measured it is suspended (SIGSTOP): it keeps its
memory and its connections and uses no CPU. A system that fails is recorded and left out.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product

import httpx
import psutil
import psycopg

from benchmarks.config import Plan
from benchmarks.load.clients import LoadError
from benchmarks.load.server_under_test import Figures, Phase, ServerUnderTest
from benchmarks.load.testbed import InstallError, Testbed
from benchmarks.models import Prepared
from benchmarks.systems.catalogue import SYSTEMS, Launch
from scoring.errors import SentinelError
from sentinel.local.processes import ProcessError

SETTLING_S = 0.5
"""Seconds after a resume in which background work, such as polling MLflow, catches up."""
PHASES: tuple[Phase, ...] = ("score", "open", "batch", "burst")
"""All rounds of a phase come before the next phase: batches and bursts make the tables larger, and
an INSERT into those took a tenth longer."""
FAILURES = (
    *(LoadError, ProcessError, InstallError, SentinelError),
    *(OSError, httpx.HTTPError, psutil.Error, psycopg.Error),
)


@dataclass(slots=True)
class Measured:
    """The figures of a run.

    Attributes:
        cells: figures of each round by system, size and load.
        facts: memory and seconds from start to ready, by system and size.
        errors: error as a sentence, by system and size.
    """

    cells: dict[tuple[str, str, str], list[Figures]] = field(
        default_factory=lambda: defaultdict(list)
    )
    facts: dict[tuple[str, str], Figures] = field(default_factory=dict)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)


def run_rounds(
    plan: Plan,
    testbed: Testbed,
    models: Sequence[Prepared],
    measured: Measured,
    report: Callable[[str], None],
) -> None:
    """Measure every system of the plan with every model.

    Args:
        plan: systems, models and loads.
        testbed: Postgres, MLflow and files that the systems share.
        models: one model of each of the plan's sizes, in its order.
        measured: figures that are filled step by step, so that an interruption keeps them.
        report: function that is called with a line about each step.
    """
    for model in models:
        with ExitStack() as resources:
            servers = []
            for name, launch in _launches(
                plan, testbed, model, model is models[0], measured, report
            ):
                try:
                    server = ServerUnderTest(name, launch, testbed, model, plan)
                    resources.callback(server.stop)
                    server.suspend()
                except FAILURES as error:
                    measured.errors[name, model.size] = _sentence(error)
                    report(f"{name}, {model.size}: {_sentence(error)}")
                else:
                    servers.append(server)
                    report(f"{name}, {model.size}: ready after {server.ready_s:.1f} s")
            for phase, number in product(PHASES, range(1, plan.rounds + 1)):
                for server in list(servers):
                    if not (cells := server.cells(phase)):
                        continue
                    report(
                        f"{phase}, round {number} of {plan.rounds}, {server.name}, {model.size}:"
                    )
                    if not _turn(server, cells, testbed, measured, report):
                        servers.remove(server)
                        server.stop()


def _launches(
    plan: Plan,
    testbed: Testbed,
    model: Prepared,
    is_first: bool,
    measured: Measured,
    report: Callable[[str], None],
) -> list[tuple[str, Launch]]:
    """Prepare all systems before any is suspended: DROP DATABASE waits for every backend."""
    launches = []
    for name in plan.systems:
        if is_first or SYSTEMS[name].main:
            try:
                launches.append((name, SYSTEMS[name].launch(testbed, model)))
            except FAILURES as error:
                measured.errors[name, model.size] = _sentence(error)
                report(f"{name}, {model.size}: {_sentence(error)}")
    return launches


def _turn(
    server: ServerUnderTest,
    cells: Sequence[tuple[str, Callable[[], Figures]]],
    testbed: Testbed,
    measured: Measured,
    report: Callable[[str], None],
) -> bool:
    """Measure a system in a round; return False when it failed."""
    try:
        testbed.checkpoint()
        server.resume()
        time.sleep(SETTLING_S)
        for cell, measure in cells:
            server.child.check()
            figures = measure()
            measured.cells[server.name, server.size, cell].append(figures)
            report(f"  {cell}: {figures['rows_per_s']:,.0f} rows/s, p50 {figures['p50_ms']:.2f} ms")
        measured.facts[server.name, server.size] = server.facts()
        server.suspend()
    except FAILURES as error:
        measured.errors[server.name, server.size] = _sentence(error)
        report(f"  {_sentence(error)}")
        return False
    return True


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())[-600:] or type(error).__name__
