"""How long the rows of uploads wait for something that another process or a person does."""

from __future__ import annotations

import time
from dataclasses import dataclass

RETRY_S = 60.0
"""Seconds after which rows are tried again that no model can decide now."""
GIVE_UP_S = 600.0
"""Seconds of such tries after which an upload fails."""
IN_FLIGHT_RETRY_S = 5.0
"""Seconds after which rows are tried again whose events another request decides."""
IN_FLIGHT_S = 30.0
"""Seconds of such tries after which those rows are rejected."""
_FORGOTTEN_S = 3 * RETRY_S
"""Seconds without a try after which a wait begins again, such as after a person's stop."""


class Later(Exception):
    """Rows cannot be decided yet.

    Attributes:
        delay_s: seconds after which they are tried again.
    """

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"in {delay_s:g} s")
        self.delay_s = delay_s


@dataclass(slots=True)
class _Wait:
    row: int
    since_s: float
    tried_s: float


class Waits:
    """The uploads whose next row waits, as far as this process has tried."""

    def __init__(self) -> None:
        self._waits: dict[tuple[int, int], _Wait] = {}

    def seconds(self, upload: tuple[int, int], row: int) -> float:
        """Return how long a row waits; 0 where it was not tried.

        Args:
            upload: tenant and number of the upload.
            row: first row that is not decided.
        """
        wait = self._waits.get(upload)
        now_s = time.monotonic()
        if wait is None or wait.row != row or now_s - wait.tried_s > _FORGOTTEN_S:
            return 0.0
        return now_s - wait.since_s

    def tried(self, upload: tuple[int, int], row: int) -> None:
        """Note that a row was tried in vain; arguments as of `seconds`."""
        now_s = time.monotonic()
        self._waits[upload] = _Wait(row, now_s - self.seconds(upload, row), now_s)

    def end(self, upload: tuple[int, int]) -> None:
        """Forget an upload that went on or ended."""
        self._waits.pop(upload, None)
