"""How far the rows of a kind are sealed."""

from __future__ import annotations

from dataclasses import dataclass

SETTLED_S = 10.0
"""Seconds for which rows below the newest one are still looked for."""


@dataclass(slots=True)
class Place:
    """How far a tenant's rows of a kind are sealed.

    Attributes:
        settled: place below which no row is looked for before the next full pass.
        newest: newest place that was seen at `seen_at`.
        seen_at: monotonic time, seconds.
    """

    settled: list[str] | None = None
    newest: list[str] | None = None
    seen_at: float = 0.0

    def sealed(self, newest: list[str] | None, seen_at: float, *, full: bool) -> None:
        """Record a pass over all rows above `settled`, before which `newest` was seen."""
        if full:
            self.settled = newest
        elif seen_at - self.seen_at < SETTLED_S:
            return
        else:
            self.settled = self.newest
        self.newest, self.seen_at = newest, seen_at
