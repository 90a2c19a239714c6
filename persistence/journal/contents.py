"""What is in the segments of a journal: records in order, the keys that they claim, sizes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from persistence.journal.frames import Kind
from persistence.journal.places import Claim, Location
from persistence.journal.records import Key


class Contents:
    """What waits for Postgres; safe to use from several threads.

    Attributes:
        rows: number of decisions.
        kept_rows: number of those that `remove` has kept.
        definitions: texts that records refer to, by digest.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.kept_rows = 0
        self.definitions: dict[str, str] = {}
        self._queue: deque[Location] = deque()
        self._kept: dict[Location, None] = {}
        self._claims: dict[Key, Claim] = {}
        self._sizes: dict[Path, int] = {}
        self._left: dict[Path, int] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Size of all segments."""
        with self._lock:
            return sum(self._sizes.values())

    @property
    def oldest_at_s(self) -> float | None:
        """Unix time of the oldest decision; None without."""
        with self._lock:
            times = [one.decided_at_s for one in (*islice(self._queue, 1), *islice(self._kept, 1))]
        return min(times, default=None)

    def claim(self, keys: Iterable[tuple[Key, bytes]]) -> dict[Key, Claim]:
        """Claim keys; return the claims of those that are taken already."""
        taken: dict[Key, Claim] = {}
        with self._lock:
            for key, digest in keys:
                known = self._claims.get(key)
                if known is None:
                    self._claims[key] = Claim(digest)
                else:
                    taken[key] = known
        return taken

    def find(self, key: Key) -> Claim | None:
        """Return the claim of a key; None where it is free."""
        return self._claims.get(key)

    def release(self, keys: Iterable[Key]) -> None:
        """Give up claims."""
        with self._lock:
            for key in keys:
                self._claims.pop(key, None)

    def begin(self, path: Path, size: int) -> None:
        """Enter a segment without records."""
        with self._lock:
            self._sizes[path] = size
            self._left[path] = 0

    def add(
        self,
        path: Path,
        size: int,
        definitions: Mapping[str, str],
        records: Sequence[tuple[Location, Mapping[Key, bytes]]],
    ) -> None:
        """Enter records of a segment, behind those that are there.

        Args:
            path: segment.
            size: size of the segment with them.
            definitions: texts that they refer to, by digest.
            records: their places, with the digests of the keys that they claim.
        """
        with self._lock:
            self.definitions |= definitions
            self._sizes[path] = size
            self._left[path] = self._left.get(path, 0) + len(records)
            for location, digests in records:
                self._queue.append(location)
                self.rows += location.rows
                for key, digest in digests.items():
                    # Of two records with a key the first answers, and it is the one that is stored.
                    known = self._claims.get(key)
                    if known is None or known.location is None:
                        self._claims[key] = Claim(digest, location)

    def sort(self) -> None:
        """Put the records of several processes into the order of their decisions."""
        with self._lock:
            self._queue = deque(sorted(self._queue, key=_order))

    def oldest(self, max_rows: int) -> list[Location]:
        """Return the places of the oldest records: some decisions, or one batch."""
        with self._lock:
            part: list[Location] = []
            for location in self._queue:
                if location.kind is Kind.BATCH:
                    return part or [location]
                part.append(location)
                if len(part) == max_rows:
                    break
            return part

    def remove(self, count: int, kept: Collection[Location] = ()) -> list[Path]:
        """Remove the oldest records; return the segments in which none is left.

        Args:
            count: number of records.
            kept: those among them that stay in the journal, behind which the others go on.
        """
        finished = []
        with self._lock:
            for _ in range(count):
                location = self._queue.popleft()
                if location in kept:
                    self._kept[location] = None
                    self.kept_rows += location.rows
                elif self._finish(location):
                    finished.append(location.path)
        return finished

    def remove_kept(self, location: Location) -> list[Path]:
        """Remove a record that `remove` has kept; return its segment where none is left."""
        with self._lock:
            del self._kept[location]
            self.kept_rows -= location.rows
            return [location.path] if self._finish(location) else []

    def requeue(self, location: Location) -> None:
        """Put a record that `remove` has kept in front of the others."""
        with self._lock:
            del self._kept[location]
            self.kept_rows -= location.rows
            self._queue.appendleft(location)

    def _finish(self, location: Location) -> bool:
        """Give up the keys of a record; return whether none is left in its segment."""
        self.rows -= location.rows
        for key in location.keys:
            claim = self._claims.get(key)
            if claim is not None and claim.location == location:
                del self._claims[key]
        self._left[location.path] -= 1
        return self._left[location.path] == 0

    def is_empty(self, path: Path) -> bool:
        """Whether a segment has no record."""
        with self._lock:
            return not self._left.get(path)

    def forget(self, path: Path) -> None:
        """Remove a segment that is gone."""
        with self._lock:
            self._sizes.pop(path, None)
            self._left.pop(path, None)
            if not self._queue and not self._sizes:
                self.definitions.clear()


def _order(location: Location) -> tuple[float, int]:
    return location.decided_at_s, location.number
