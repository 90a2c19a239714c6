"""The window of stored decisions whose labels have matured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Range of ages of the stored decisions that count.

    Attributes:
        maturity_days: minimum age; frauds among younger decisions may not have been reported yet.
        window_days: length of the range in days.
    """

    maturity_days: float
    window_days: float

    def __str__(self) -> str:
        oldest = self.maturity_days + self.window_days
        return f"{self.maturity_days:g} to {oldest:g} days old"
