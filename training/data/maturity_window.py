"""The window of stored decisions whose labels have matured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Range of ages of the stored decisions that count.

    Attributes:
        maturity_days: minimum age; frauds among younger decisions may not have been reported yet.
        window_days: length of the range in days.
        as_of: time at which the ages are reckoned and whose labels count, an aware datetime; None:
            the time of the reading.
    """

    maturity_days: float
    window_days: float
    as_of: datetime | None = None

    def end(self) -> datetime:
        """Return `as_of`, or the current time."""
        return self.as_of or datetime.now(UTC)

    def facts(self) -> dict[str, object]:
        """Return the window as parameters of a run."""
        days: dict[str, object] = {
            "maturity_days": self.maturity_days,
            "window_days": self.window_days,
        }
        return days | ({"as_of": self.as_of.isoformat()} if self.as_of else {})

    def __str__(self) -> str:
        oldest = self.maturity_days + self.window_days
        moment = f" on {self.as_of.astimezone(UTC):%Y-%m-%d %H:%M}" if self.as_of else ""
        return f"{self.maturity_days:g} to {oldest:g} days old{moment}"
