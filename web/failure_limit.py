"""A limit of failures by whoever causes them, in the memory of the process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class FailureLimit:
    """Counts failures by source; a source with too many is refused until they are old.

    Args:
        failures: failures of a source within `seconds` after which it is refused.
        seconds: time for which a failure counts, from the first one of its source.
        sources: most sources that are remembered; the ones that failed longest ago are forgotten.
        now_s: clock, seconds.
    """

    def __init__(
        self,
        failures: int,
        seconds: float,
        sources: int = 10_000,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures, self._seconds, self._sources = failures, seconds, sources
        self._now_s = now_s
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def is_reached(self, source: str) -> bool:
        """Return whether a source is refused."""
        return self._count(source)[1] >= self._failures

    def add(self, source: str) -> None:
        """Count a failure of a source."""
        since, count = self._count(source)
        self._known[source] = since, count + 1
        self._known.move_to_end(source)
        if len(self._known) > self._sources:
            self._known.popitem(last=False)

    def _count(self, source: str) -> tuple[float, int]:
        now = self._now_s()
        since, count = self._known.get(source, (now, 0))
        return (since, count) if now < since + self._seconds else (now, 0)
