"""How people read where rows in time order begin and end: by hour, by date, or by row number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from scoring.columns import FloatArray
from scoring.windows.events import IntArray

Kind = Literal["step", "date", "row"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEADINGS: dict[Kind, str] = {"step": "steps", "date": "time (UTC)", "row": "row numbers"}
_NOUNS: dict[Kind, str] = {"step": "steps ", "date": "", "row": "rows "}
_UNITS: dict[Kind, str] = {"step": "steps", "date": "hours", "row": "rows"}


@dataclass(frozen=True, slots=True)
class Scale:
    """The order of n rows.

    Attributes:
        step: hours, non-decreasing, float64 (n,).
        time_us: microseconds since 1970, non-decreasing, int64 (n,); None without dates.
        is_by_time: whether the order is one of time; else the rows are in a random order.
    """

    step: FloatArray
    time_us: IntArray | None = None
    is_by_time: bool = True

    @property
    def kind(self) -> Kind:
        """What a place in the order is shown as."""
        if self.time_us is not None:
            return "date"
        return "step" if self.is_by_time else "row"

    @property
    def heading(self) -> str:
        """Heading of a column of spans."""
        return _HEADINGS[self.kind]

    @property
    def unit(self) -> str:
        """What there must be enough of for a split."""
        return _UNITS[self.kind]

    def bounds(self, rows: slice) -> tuple[str, str]:
        """Return the first and the last place of one row or more."""
        return self._place(rows.start), self._place(rows.stop - 1)

    def span(self, rows: slice) -> str:
        """Return a phrase such as `steps 5 to 9` for one row or more."""
        return f"{_NOUNS[self.kind]}{' to '.join(self.bounds(rows))}"

    def place(self, row: int) -> str:
        """Return a phrase such as `step 9` for the place of a row."""
        return {"step": "step ", "date": "", "row": "row "}[self.kind] + self._place(row)

    def _place(self, row: int) -> str:
        if self.time_us is not None:
            moment = _EPOCH + timedelta(microseconds=int(self.time_us[row]))
            return f"{moment:%Y-%m-%d %H:%M}"
        return f"{self.step[row]:.0f}" if self.is_by_time else f"{row + 1:,}"
