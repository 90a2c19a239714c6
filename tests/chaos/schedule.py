"""The schedule of a run: which fault comes when, for how long. A seed gives the same one always."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LASTING = {
    "worker_killed": (0.0, 0.0),
    "worker_stopped": (0.5, 6.0),
    "service_killed": (0.0, 2.0),
    "service_restarted": (0.0, 0.0),
    "earlier_release": (6.0, 10.0),
    "postgres_killed": (0.0, 4.0),
    "postgres_backend_killed": (0.0, 0.0),
    "postgres_stopped": (0.5, 6.0),
    "postgres_read_only": (1.0, 5.0),
    "postgres_disk_full": (1.0, 5.0),
    "journal_disk_full": (1.0, 4.0),
    "line_refused": (0.2, 5.0),
    "line_stalled": (0.2, 5.0),
    "mlflow_killed": (0.5, 5.0),
    "mlflow_stopped": (0.5, 5.0),
    "clock_forward": (2.5, 6.0),
    "clock_back": (2.5, 6.0),
}
"""Faults of which one at a time is in force, with the shortest and longest time, in seconds."""
INSTANT = (
    "connections_cut",
    "connections_reset",
    "reply_of_commit_cut",
    "sessions_terminated",
    "statements_forgotten",
    "alias_moved",
    "policy_changed",
)
"""Faults that last no time; they also come while another one lasts."""
FIRST_S = 3.0
"""Time of undisturbed payments at the beginning, in seconds."""
GAP_S = (2.0, 5.0)
"""Shortest and longest time between two lasting faults, in seconds."""
INSTANT_GAP_S = (2.0, 8.0)
"""The same between two instant ones: more would leave Postgres no time to be used again."""
QUIET_S = 3.0
"""Time without a new fault at the end, in seconds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the schedule.

    Attributes:
        at_s: time since the beginning at which it is due; it comes later if the one before takes
            longer (`tests/chaos/faults.py`).
        kind: name, of LASTING or INSTANT.
        seconds: how long it lasts.
        choice: number that decides what the kind leaves open, such as the tenant.
    """

    at_s: float
    kind: str
    seconds: float
    choice: int


def schedule(seed: int, minutes: float) -> list[Fault]:
    """Return the faults of a run in order of time.

    Every kind comes once before one comes again. A longer run of the same seed has the faults of a
    shorter one, at the same times.

    Args:
        seed: number that decides everything.
        minutes: length of the run.
    """
    end_s = minutes * 60 - QUIET_S
    lasting = _paced(f"lasting {seed}", tuple(LASTING), GAP_S, end_s)
    instant = _paced(f"instant {seed}", INSTANT, INSTANT_GAP_S, end_s)
    return sorted([*lasting, *instant], key=lambda fault: fault.at_s)


def _paced(
    seed: str, kinds: Sequence[str], gap_s: tuple[float, float], end_s: float
) -> Iterator[Fault]:
    rng = random.Random(seed)  # noqa: S311 - it needs no secrecy
    now_s = FIRST_S
    for kind in _in_rounds(rng, kinds):
        seconds = round(rng.uniform(*LASTING.get(kind, (0.0, 0.0))), 2)
        choice = rng.randrange(1 << 30)
        if now_s + seconds > end_s:
            return
        yield Fault(round(now_s, 2), kind, seconds, choice)
        now_s += seconds + rng.uniform(*gap_s)


def _in_rounds(rng: random.Random, kinds: Sequence[str]) -> Iterator[str]:
    while True:
        yield from rng.sample(kinds, len(kinds))
