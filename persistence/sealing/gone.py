"""Rows that a verification does not find: which of them retention deleted.

A missing row is in order where a sealed statement says that its month was dropped, the month was
old enough then, and all of it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from persistence.maintenance.partitions import Month
from persistence.maintenance.sealed import EXPIRING
from persistence.sealing.expiry import Expiry, month_of_key
from persistence.sealing.stored_tree import StoredLeaf
from persistence.sealing.verdict import Problem

_CLOCKS = timedelta(minutes=5)
"""Largest difference of the clocks of maintenance and of sealing."""


class Gone:
    """Counts the missing and the present rows by month, and compares them with the statements.

    Args:
        statements: statements of the tenant with the positions of their leaves; None: no leaf.
        least_months: whole months that every run has to have kept; None: what it stated.
    """

    def __init__(
        self, statements: list[tuple[Expiry, int | None]], least_months: int | None
    ) -> None:
        self._statements = {expiry.month: (expiry, at) for expiry, at in statements}
        self._least_months = least_months
        self._missing: dict[tuple[str, Month], tuple[StoredLeaf, int]] = {}
        self._kept: dict[Month, int] = {}
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
        """Count a row that is there."""
        if leaf.kind == "decision":
            month = month_of_key(leaf.key)
            _, position = self._statements.get(month, (None, None))
            # A decision that came after the statement goes with the next run.
            if position is not None and leaf.position < position:
                self._kept[month] = self._kept.get(month, 0) + 1

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
            reasons = list(self._reasons(kind, month))
            if reasons:
                rows = (
                    "is missing" if count == 1 else f"and {count - 1} more of {month} are missing"
                )
                row = f"{first.kind} {first.key}"
                problems.append(Problem(first.position, row, f"{rows}: {reasons[0]}"))
            else:
                expired += count
        return expired, problems

    def _covering(self, kind: str, month: Month) -> tuple[Expiry, int | None] | None:
        """Return the statement for a month; feedback and labels go with later months too."""
        if kind == "decision":
            return self._statements.get(month)
        later = [stated for of, stated in self._statements.items() if of >= month]
        return later[0] if later else None

    def _reasons(self, kind: str, month: Month) -> Iterator[str]:
        covering = self._covering(kind, month)
        if covering is None:
            yield "retention did not delete it"
            return
        expiry, _ = covering
        stated = f"the statement that {expiry.month} was dropped"
        least = self._least_months
        if expiry.key not in self._proven:
            yield f"{stated} is in no head"
        elif not expiry.was_due:
            yield f"{stated} keeps {expiry.retain_months} months, and it was not older"
        elif least is not None and expiry.retain_months < least:
            yield f"{stated} keeps {expiry.retain_months} months, and {least} have to be kept"
        elif expiry.at > self._proven[expiry.key] + _CLOCKS:
            yield f"{stated} is from after the head that has it"
        elif kind == "decision" and self._kept.get(month):
            yield f"{stated} is true of a part, and {self._kept[month]} decisions are still there"


def _by_position(item: tuple[tuple[str, Month], tuple[StoredLeaf, int]]) -> int:
    return item[1][0].position
