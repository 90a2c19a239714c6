"""What a verification found about a tenant's sealed log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

MOST_PROBLEMS = 20
"""Largest number of problems that are kept; all are counted."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something that is not as it was sealed.

    Attributes:
        position: leaf that it begins with; one behind the last where no leaf is concerned.
        row: kind and key of the row, or the part of the log.
        what: what is wrong with it.
    """

    position: int
    row: str
    what: str


Report = Callable[[Problem], None]


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        tenant: slug of the tenant.
        rows: number of rows that are as they were sealed.
        expired: number of rows that retention deleted, as a sealed statement has it.
        waiting: number of rows that have no leaf yet.
        unproven: number of leaves that no head covers yet.
        head_size: number of leaves of the newest head; 0: there is none.
        head_at: time of the newest head.
        complete_at: begin of the last pass over all rows, as the newest head states it.
        problems: first problems in the order of their leaves.
        count: number of all problems.
        report: function that is called with each of the first problems as it is found.
    """

    tenant: str
    rows: int = 0
    expired: int = 0
    waiting: int = 0
    unproven: int = 0
    head_size: int = 0
    head_at: datetime | None = None
    complete_at: datetime | None = None
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    report: Report = lambda _problem: None

    def add(self, problems: Iterable[Problem]) -> None:
        """Add problems; the first ones are kept."""
        for problem in problems:
            self.count += 1
            self.problems.append(problem)
            if self.count <= MOST_PROBLEMS:
                self.report(problem)
        self.problems.sort()
        del self.problems[MOST_PROBLEMS:]
