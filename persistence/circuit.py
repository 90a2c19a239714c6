"""The circuit of the payment path: open while Postgres is away, so that no request waits for it.

It opens with the first fault, and closes once a trial has succeeded (`serving/store_watcher.py`).
A server that hangs breaks no connection: a caller that has waited for `SUSPECT_AFTER_S` asks for a
look, and Postgres is away where a new connection gets no answer either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from persistence.outage import Outage
from scoring.errors import StoreBusy, StoreUnavailable

logger = logging.getLogger("sentinel.circuit")

SUSPECT_AFTER_S = 0.25
"""Time without a reply from which on Postgres may be hanging. With the time of a look, 0.4 s, and
the 0.1 s between two checks of a wait, the circuit opens within a second."""


class Circuit:
    """Whether requests may use Postgres.

    Attributes:
        is_open: whether Postgres is away; read by every request.
        is_suspected: whether a caller waits for a reply unusually long.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.is_suspected = False
        self._since_s: float | None = None
        self._cause: StoreUnavailable | None = None
        self._openings = 0
        self._lock = threading.Lock()
        self._outage = Outage(logger, "Postgres")
        self._wake: Callable[[], None] = _nothing
        self._changed: Callable[[], None] = _nothing

    def connect(self, *, wake: Callable[[], None], changed: Callable[[], None]) -> None:
        """Set what is called, on any thread.

        Args:
            wake: function that is called where Postgres should be looked at now.
            changed: function that is called after the circuit opened or closed.
        """
        self._wake, self._changed = wake, changed

    @property
    def openings(self) -> int:
        """Times that it has opened."""
        return self._openings

    @property
    def reason(self) -> str | None:
        """Sentence for the operator while it is open; None while it is closed."""
        cause = self._cause
        return str(cause) if self.is_open and cause is not None else None

    def open(self, cause: StoreUnavailable) -> None:
        """Open it, or take note of the latest cause; a statement that took too long leaves it.

        Args:
            cause: fault of Postgres.
        """
        if isinstance(cause, StoreBusy) and not self.is_open:
            return
        with self._lock:
            was_open, self.is_open = self.is_open, True
            self._cause = cause
            if not was_open:
                self._openings += 1
                self._since_s = monotonic()
        if not was_open:
            self._changed()
            self._wake()
        self._outage.goes_on(str(cause))

    def close(self) -> None:
        """Close it: requests use Postgres again."""
        with self._lock:
            self.is_open = self.is_suspected = False
            self._since_s = None
        self._changed()
        self._outage.is_over()

    def error(self) -> StoreUnavailable:
        """Return the error of a request that cannot use Postgres now."""
        return StoreUnavailable(
            "Postgres cannot be reached; nothing was decided.", reason=self.reason
        )

    def gives_up(self, waited_s: float) -> bool:
        """Whether a caller that has waited for so many seconds stops waiting."""
        if self.is_open:
            return True
        if waited_s >= SUSPECT_AFTER_S:
            self.is_suspected = True
            self._wake()
        return False


def _nothing() -> None: ...
