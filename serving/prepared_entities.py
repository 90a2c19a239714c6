"""Keeps the past events of entities that have very many, prepared for the windows of a model.

A payment of such an entity then reads and adds only what is new since, so it costs about as much as
any other (docs/decisions/0014-windows.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.history.folding import fold_history
from persistence.history.full_segments import (
    FULL_EVENTS,
    entities_with_most_segments,
    read_full_segments,
)
from persistence.history.reader import Known
from scoring.feature_set.entity_windows import EntityWindows
from scoring.feature_set.prepared_entity import PreparedEntity
from scoring.windows.definition import DAY_US

logger = logging.getLogger("sentinel.history")

PREPARE_FROM = 1_024
"""Events of an entity that are read for a payment, from which they are prepared: reading them takes
about as long as the rest of the payment."""
MOST_BYTES = 256 * 2**20
"""Memory of all prepared events; a million events take about 120 MB, and 250 MB more while they are
prepared."""
MAX_AGE_S = 6 * 3600
"""Age at which prepared events are made again: maintenance deletes older changes of frauds."""
_MANY_SEGMENTS = 4 * PREPARE_FROM // FULL_EVENTS
_MOST_AT_FIRST = 20
_INTERVAL_S = 0.2
_EARLIER_US = 7 * DAY_US
"""Time before a payment's own windows that is prepared too, for payments that arrive late."""
_PAUSE_TIMES = 10
_PAUSE_S = 5.0
"""An entity is prepared again after _PAUSE_S, and after _PAUSE_TIMES the time that it took, so that
a busy one takes at most a tenth of a core."""


@dataclass(frozen=True, slots=True)
class PreparedPast:
    """The prepared past of an entity.

    Attributes:
        entity: prepared events.
        known: what of the entity they hold.
        size: memory in bytes.
        made_at_s: time at which it was made, of the clock.
    """

    entity: PreparedEntity
    known: Known
    size: int
    made_at_s: float


class Usage(NamedTuple):
    """How much is prepared.

    Attributes:
        entities: number of entities, for each of the windows that they are prepared for.
        size: memory in bytes.
    """

    entities: int
    size: int


_Windows = tuple[int, EntityWindows]
"""A tenant, and windows of a model that serves it."""
_Place = tuple[int, EntityWindows, str]


class PreparedEntities:
    """Prepares the past events of entities on a thread of its own.

    Args:
        engine: database pool that no payment waits for.
        most_bytes: memory of all prepared events; the ones not used for the longest time go first.
        clock: function that returns seconds that only ascend.
    """

    def __init__(
        self,
        engine: Engine,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[_Place, PreparedPast] = OrderedDict()
        self._size = 0
        self._wanted: dict[_Place, int] = {}
        self._not_before_s: dict[_Place, float] = {}
        self._asked_at_s: dict[_Windows, float] = {}
        self._begun: set[_Windows] = set()
        self._loop = BackgroundLoop(
            "prepared-entities",
            self.prepare,
            _INTERVAL_S,
            logger=logger,
            task="preparing the past events of an entity",
            runs_at_start=False,
        )

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """End the thread after an entity that has begun."""
        self._loop.stop()

    def usage(self) -> Usage:
        """Return how much is prepared."""
        with self._lock:
            return Usage(len(self._entries), self._size)

    def get(
        self, tenant_id: int, windows: EntityWindows, key: str, since_us: int
    ) -> PreparedPast | None:
        """Return the prepared past of an entity; None where there is none.

        Args:
            tenant_id: tenant of the entity.
            windows: windows that it is prepared for.
            key: the entity's id.
            since_us: time from which on its events are needed, microseconds since 1970.
        """
        now_s = self._clock()
        self._asked_at_s[tenant_id, windows] = now_s
        if not self._entries:
            return None
        place = (tenant_id, windows, key)
        with self._lock:
            found = self._entries.get(place)
            if found is None or found.entity.since_us > since_us:
                return None
            if now_s - found.made_at_s > MAX_AGE_S:
                self._remove(place)
                return None
            self._entries.move_to_end(place)
            return found

    def want(self, tenant_id: int, windows: EntityWindows, key: str, since_us: int) -> None:
        """Prepare the past of an entity, or what is new of it, soon.

        Args:
            tenant_id, windows, key, since_us: as in `get`.
        """
        with self._lock:
            place = (tenant_id, windows, key)
            self._wanted[place] = min(since_us, self._wanted.get(place, since_us))

    def remove(self, tenant_id: int, windows: EntityWindows, key: str) -> None:
        """Forget the past of an entity, whose events were removed."""
        with self._lock:
            self._remove((tenant_id, windows, key))

    def prepare(self) -> None:
        """Prepare the entities that are wanted.

        Raises:
            StoreUnavailable: Postgres is unreachable or the connection broke.
        """
        self._forget_unused()
        # Entities that have many events when a model begins to serve are prepared at once.
        for asked in list(self._asked_at_s):
            if asked not in self._begun:
                self._want_most(*asked)
                self._begun.add(asked)
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        for place, since_us in wanted.items():
            if self._loop.is_stopping:
                return
            self._prepare(place, since_us - _EARLIER_US)

    def _forget_unused(self) -> None:
        """Forget windows that nothing asks for, as of a replaced model, and what is too old."""
        now_s = self._clock()
        for asked, at_s in list(self._asked_at_s.items()):
            if now_s - at_s > MAX_AGE_S:
                self._asked_at_s.pop(asked)
                self._begun.discard(asked)
        with self._lock:
            for place, found in list(self._entries.items()):
                if now_s - found.made_at_s > MAX_AGE_S:
                    self._remove(place)
        for place, at_s in list(self._not_before_s.items()):
            if at_s <= now_s:
                self._not_before_s.pop(place)

    def _want_most(self, tenant_id: int, windows: EntityWindows) -> None:
        most = entities_with_most_segments(
            self._engine, tenant_id, windows.entity, _MANY_SEGMENTS, _MOST_AT_FIRST
        )
        for key, until_us in most:
            self.want(tenant_id, windows, key, until_us - windows.reach_us)

    def _prepare(self, place: _Place, since_us: int) -> None:
        tenant_id, windows, key = place
        before = self._entries.get(place)
        begun_s = self._clock()
        if begun_s < self._not_before_s.get(place, begun_s):
            return
        if before is not None and before.entity.since_us > since_us:
            before = None
        # Segments that are not full, as an import leaves them, would end the known ones.
        fold_history(self._engine, tenant_id, [(windows.entity, key)])
        after = before.known.segment_id if before else 0
        found = read_full_segments(self._engine, tenant_id, windows.entity, key, since_us, after)
        if found is None or not found.follows:
            self.remove(*place)
            return
        entity = windows.prepare(found.past, since_us, before.entity if before else None)
        made_at_s = self._clock()
        pause_s = max(_PAUSE_S, _PAUSE_TIMES * (made_at_s - begun_s))
        self._not_before_s[place] = made_at_s + pause_s
        made = PreparedPast(entity, found.known, entity.nbytes, made_at_s)
        if made.size > self._most_bytes:
            self.remove(*place)
            logger.warning(
                "A %s of tenant %d has too many past events to be prepared (%d MB of at most %d):"
                " its payments read them all",
                windows.entity,
                tenant_id,
                made.size >> 20,
                self._most_bytes >> 20,
            )
            return
        with self._lock:
            self._remove(place)
            self._entries[place] = made
            self._size += made.size
            while self._size > self._most_bytes:
                self._remove(next(iter(self._entries)))

    def _remove(self, place: _Place) -> None:
        found = self._entries.pop(place, None)
        if found is not None:
            self._size -= found.size
