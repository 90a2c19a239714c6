"""Rows that a verification does not find: which of them retention deleted.

A missing row is in order where a sealed statement says that its month was dropped, the month was
old enough then, and all that was sealed before is gone: decisions, feedback and labels of that
month and of those before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from persistence.maintenance.partitions import Month
from persistence.maintenance.sealed import EXPIRING
from persistence.sealing.expiry import Expiry, month_of_key
from persistence.sealing.stored_tree import StoredLeaf
from persistence.sealing.verdict import Problem

_MANY = {"decision": "decisions", "feedback": "pieces of feedback", "label": "labels"}
_CLOCKS = timedelta(minutes=5)
"""Largest difference of the clocks of maintenance and of sealing."""


class Gone:
    """Counts the missing and the present rows by month, and compares them with the statements.

    Args:
        statements: statements of the tenant with the positions of their leaves; None: no leaf.
        least_months: whole months that every run has to have kept; None: what it stated, and one.
    """

    def __init__(
        self, statements: list[tuple[Expiry, int | None]], least_months: int | None
    ) -> None:
        self._statements = {expiry.month: (expiry, at) for expiry, at in statements}
        self._newest = max(self._statements, default=None)
        self._least_months = max(1, least_months or 1)
        self._missing: dict[tuple[str, Month], tuple[StoredLeaf, int]] = {}
        self._kept: dict[Month, Counter[str]] = defaultdict(Counter)
        self._proven: dict[str, datetime] = {}
        self._unproven: list[str] = []

    def saw_statement(self, key: str) -> None:
        """Note that the leaf of a statement is as it was sealed."""
        self._unproven.append(key)

    def saw_head(self, at: datetime) -> None:
        """Note that a head covers all leaves so far."""
        for key in self._unproven:
            self._proven[key] = at
        self._unproven.clear()

    def saw_row(self, leaf: StoredLeaf) -> None:
        """Count a row that is there, by the statements that say that it is gone."""
        if self._newest is None or leaf.kind not in EXPIRING:
            return
        of = month_of_key(leaf.key)
        if of > self._newest:
            return
        for month, (_, position) in self._statements.items():
            # A row that came after the statement goes with the next run.
            if of <= month and position is not None and leaf.position < position:
                self._kept[month][leaf.kind] += 1

    def saw_none(self, leaf: StoredLeaf) -> Problem | None:
        """Count a row that is not there; return a problem where it cannot have expired."""
        if leaf.kind not in EXPIRING:
            return Problem(leaf.position, f"{leaf.kind} {leaf.key}", "is missing")
        place = (leaf.kind, month_of_key(leaf.key))
        first, count = self._missing.get(place, (leaf, 0))
        self._missing[place] = first, count + 1
        return None

    def judge(self) -> tuple[int, list[Problem]]:
        """Return how many rows have expired, and a problem for each month that has not."""
        expired = 0
        problems = []
        for (kind, month), (first, count) in sorted(self._missing.items(), key=_by_position):
            reasons = self._reasons(kind, month)
            if reasons:
                rows = (
                    "is missing" if count == 1 else f"and {count - 1} more of {month} are missing"
                )
                row = f"{first.kind} {first.key}"
                problems.append(Problem(first.position, row, f"{rows}: {reasons[0]}"))
            else:
                expired += count
        return expired, problems

    def _reasons(self, kind: str, month: Month) -> list[str]:
        """Return why rows of a month cannot have expired; nothing where one statement is true."""
        # Feedback and labels go with later months too.
        covering = [
            expiry
            for of, (expiry, _) in self._statements.items()
            if of == month or (of > month and kind != "decision")
        ]
        reasons = [reason for expiry in covering for reason in self._doubts(expiry)[:1]]
        if covering and len(reasons) < len(covering):
            return []
        return reasons or ["retention did not delete it"]

    def _doubts(self, expiry: Expiry) -> list[str]:
        """Return why a statement does not count."""
        stated = f"the statement that {expiry.month} was dropped"
        keeps = f"{stated} keeps {expiry.retain_months} months"
        kept = self._kept[expiry.month]
        doubts = {
            f"{stated} is in no head": expiry.key not in self._proven,
            f"{keeps}, and {self._least_months} have to be kept": (
                expiry.retain_months < self._least_months
            ),
            f"{keeps}, and it was not older": not expiry.was_due,
            f"{stated} is from after the head that has it": (
                expiry.at > self._proven.get(expiry.key, expiry.at) + _CLOCKS
            ),
        }
        for of, many in _MANY.items():
            doubts[f"{stated} is true of a part, and {kept[of]} {many} are still there"] = (
                kept[of] > 0
            )
        return [doubt for doubt, holds in doubts.items() if holds]


def _by_position(item: tuple[tuple[str, Month], tuple[StoredLeaf, int]]) -> int:
    return item[1][0].position
