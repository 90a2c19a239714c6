"""The window of stored decisions whose labels have matured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Which stored decisions count.

    Attributes:
        maturity_days: younger ones are left out; their frauds may not have been reported yet.
        window_days: how much older than that the oldest may be.
    """

    maturity_days: float
    window_days: float

    def __str__(self) -> str:
        oldest = self.maturity_days + self.window_days
        return f"{self.maturity_days:g} to {oldest:g} days old"
