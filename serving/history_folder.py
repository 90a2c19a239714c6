"""Moves the recent events of entities to their segments, beside the payments."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.history.folding import fold_history

logger = logging.getLogger("sentinel.history")

_INTERVAL_S = 0.2
_MOST = 200
"""Entities that are moved in one transaction; more wait for the next one."""


class HistoryFolder:
    """Moves the events of the entities that it receives on a thread of its own.

    An entity that is lost, since Postgres was away, is received again with its next event.

    Args:
        engine: database pool that no payment waits for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._due: dict[int, set[tuple[str, str]]] = defaultdict(set)
        self._loop = BackgroundLoop(
            "history-folder",
            self.fold,
            _INTERVAL_S,
            logger=logger,
            task="moving past events to segments",
            runs_at_start=False,
        )

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """End the thread after a transaction that has begun."""
        self._loop.stop()

    def add(self, tenant_id: int, entities: Collection[tuple[str, str]]) -> None:
        """Move the events of some entities of a tenant, soon."""
        with self._lock:
            self._due[tenant_id].update(entities)

    def fold(self) -> None:
        """Move the events of the entities that were received so far.

        Raises:
            StoreUnavailable: Postgres is unreachable or the connection broke.
        """
        with self._lock:
            due, self._due = self._due, defaultdict(set)
        for tenant_id, entities in due.items():
            ordered = sorted(entities)
            for start in range(0, len(ordered), _MOST):
                if self._loop.is_stopping:
                    return
                fold_history(self._engine, tenant_id, ordered[start : start + _MOST])
