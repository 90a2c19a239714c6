"""Look after Postgres while it is away: close the circuit, and drain the journal.

While the circuit is closed and the journal is empty, nothing is sent to Postgres.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.circuit import Circuit
from persistence.engine import verify_session
from persistence.journal.drainer import Drainer
from scoring.errors import StoreUnavailable

logger = logging.getLogger("sentinel.journal")

INTERVAL_S = 0.25
"""Time between two trials while Postgres is away."""
LOOK_S = 0.4
"""Time within which Postgres has to answer a look."""
PAUSE_S = 0.05
"""Pause after each part of the journal: at most 2,000 decisions a second are drained, beside the
payments that Postgres stores meanwhile."""
AGAIN_AFTER_S = 1.0
"""Pause after a fault of the drainer while the circuit is closed."""


class StoreWatcher:
    """Closes the circuit once Postgres works again, and drains the journal.

    The circuit closes after the first part of the journal is stored: a server that answers and
    cannot store, as with a full disk, is away.

    Args:
        circuit: circuit of the payment path.
        drainer: drainer of the journal; None without a journal.
        engine: pool of one connection, which is closed when nothing is left to do.
        look: function that returns why a new connection gets no answer within seconds, or None.
    """

    def __init__(
        self,
        circuit: Circuit,
        drainer: Drainer | None,
        engine: Engine,
        look: Callable[[float], StoreUnavailable | None],
    ) -> None:
        self._circuit = circuit
        self._drainer = drainer
        self._engine = engine
        self._look = look
        self._again_at_s = 0.0
        self._loop = BackgroundLoop(
            "store-watcher",
            self.step,
            INTERVAL_S,
            logger=logger,
            task="looking after Postgres and the journal",
            runs_at_start=True,
        )

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """End the thread after a part of the journal that is being stored."""
        self._loop.stop()

    def wake(self) -> None:
        """Look at Postgres now."""
        self._loop.wake()

    def step(self) -> None:
        """Close the circuit, open it for a server that hangs, or drain the journal."""
        circuit = self._circuit
        was_open = circuit.is_open
        if was_open:
            self._try_to_close()
        elif circuit.is_suspected:
            circuit.is_suspected = False
            if (fault := self._look(LOOK_S)) is not None:
                circuit.open(fault)
                return
        if circuit.is_open or monotonic() < self._again_at_s:
            return
        if self._drainer is not None:
            self._drain(self._drainer, has_closed=was_open)
        elif was_open:
            self._engine.dispose()

    def _try_to_close(self) -> None:
        try:
            verify_session(self._engine)
            if self._drainer is not None:
                self._drainer.drain_part()
        except StoreUnavailable as error:
            self._engine.dispose()
            self._circuit.open(error)  # takes note of the cause
        else:
            self._circuit.close()

    def _drain(self, drainer: Drainer, *, has_closed: bool) -> None:
        drained = 0
        try:
            while not self._circuit.is_open and (count := drainer.drain_part()):
                drained += count
                if self._loop.pause(PAUSE_S):
                    break
        except StoreUnavailable as error:
            logger.warning("the journal is drained later: %s", error)
            self._again_at_s = monotonic() + AGAIN_AFTER_S
            self._engine.dispose()
            return
        if drained:
            logger.info("%d records of the journal have been drained", drained)
        if drained or has_closed:
            self._engine.dispose()
