"""Rounds of loads: every stack in turn, the others asleep, so that a mood of the machine meets all.

A stack is started once a model. While another has its turn it is stopped (SIGSTOP): it keeps its
memory and its connections and uses no CPU. What fails is noted, and the rest goes on.
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
from benchmarks.load import LoadError
from benchmarks.models import Prepared
from benchmarks.server_under_test import Figures, Lane, Phase
from benchmarks.systems.catalogue import STACKS, Launch
from benchmarks.testbed import Ground, InstallError
from scoring.errors import SentinelError
from sentinel.local.processes import ProcessError

WAKING_S = 0.5
"""For what a stack does beside serving, such as following MLflow, to find its way back."""
PHASES: tuple[Phase, ...] = ("score", "batch", "burst")
"""All rounds of one before the next: what has batches and bursts as well has larger tables after
them, in which each INSERT was a tenth dearer than in those of a stack that has none."""
FAILURES = (
    *(LoadError, ProcessError, InstallError, SentinelError),
    *(OSError, httpx.HTTPError, psutil.Error, psycopg.Error),
)


@dataclass(slots=True)
class Measured:
    """What came of it.

    Attributes:
        cells: by stack, size and cell the figures of each round.
        facts: by stack and size: memory, seconds from start to ready.
        errors: sentences, by stack and size.
    """

    cells: dict[tuple[str, str, str], list[Figures]] = field(
        default_factory=lambda: defaultdict(list)
    )
    facts: dict[tuple[str, str], Figures] = field(default_factory=dict)
    errors: dict[tuple[str, str], str] = field(default_factory=dict)


def contest(
    plan: Plan,
    ground: Ground,
    models: Sequence[Prepared],
    measured: Measured,
    say: Callable[[str], None],
) -> None:
    """Measure everything.

    Args:
        plan, ground: what, and where.
        models: one of each of the plan's sizes, in its order.
        measured: filled as it goes on, so that an interruption leaves what there is.
        say: told of each step.
    """
    for model in models:
        with ExitStack() as stack:
            lanes = []
            for name, launch in _launches(plan, ground, model, model is models[0], measured, say):
                try:
                    lane = Lane(name, launch, ground, model, plan)
                    stack.callback(lane.stop)
                    lane.sleep()
                except FAILURES as error:
                    measured.errors[name, model.size] = _sentence(error)
                    say(f"{name}, {model.size}: {_sentence(error)}")
                else:
                    lanes.append(lane)
                    say(f"{name}, {model.size}: ready after {lane.ready_s:.1f} s")
            for phase, number in product(PHASES, range(1, plan.rounds + 1)):
                for lane in list(lanes):
                    if not (cells := lane.cells(phase)):
                        continue
                    say(f"{phase}, round {number} of {plan.rounds}, {lane.name}, {model.size}:")
                    if not _turn(lane, cells, ground, measured, say):
                        lanes.remove(lane)
                        lane.stop()


def _launches(
    plan: Plan,
    ground: Ground,
    model: Prepared,
    is_first: bool,
    measured: Measured,
    say: Callable[[str], None],
) -> list[tuple[str, Launch]]:
    """Prepare all stacks before any is asleep: dropping a database waits for every backend."""
    launches = []
    for name in plan.stacks:
        if is_first or STACKS[name].main:
            try:
                launches.append((name, STACKS[name].launch(ground, model)))
            except FAILURES as error:
                measured.errors[name, model.size] = _sentence(error)
                say(f"{name}, {model.size}: {_sentence(error)}")
    return launches


def _turn(
    lane: Lane,
    cells: Sequence[tuple[str, Callable[[], Figures]]],
    ground: Ground,
    measured: Measured,
    say: Callable[[str], None],
) -> bool:
    """Give a stack its turn in a round; False when it failed."""
    try:
        ground.checkpoint()
        lane.wake()
        time.sleep(WAKING_S)
        for cell, measure in cells:
            lane.child.check()
            figures = measure()
            measured.cells[lane.name, lane.size, cell].append(figures)
            say(f"  {cell}: {figures['rows_per_s']:,.0f} rows/s, p50 {figures['p50_ms']:.2f} ms")
        measured.facts[lane.name, lane.size] = lane.facts()
        lane.sleep()
    except FAILURES as error:
        measured.errors[lane.name, lane.size] = _sentence(error)
        say(f"  {_sentence(error)}")
        return False
    return True


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())[-600:] or type(error).__name__
