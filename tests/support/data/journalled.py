"""A decision log with a journal, its circuit and what looks after both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from persistence.circuit import Circuit
from persistence.connection.probe import look
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database
from persistence.journal.drainer import Drainer
from persistence.journal.files import QUARANTINE_BYTES
from persistence.journal.journal import Journal
from persistence.journal.log import JournalledLog
from persistence.tenancy import SERVICE_ROLE
from serving.store_watcher import StoreWatcher


class JournalledStore:
    """The parts of a service process that store decisions, connected as `app/startup.py` does.

    Args:
        url: address of Postgres.
        root: folder of the journal.
        journals: whether a tenant chose the journal.
        max_bytes: largest size of the journal.
        quarantine_bytes: largest size of what is set aside.
    """

    def __init__(
        self,
        url: str,
        root: Path,
        journals: Callable[[int], bool] = lambda _: True,
        max_bytes: int = 1 << 22,
        quarantine_bytes: int = QUARANTINE_BYTES,
    ) -> None:
        self.circuit = Circuit()
        self.engine = open_database(url, role=SERVICE_ROLE, circuit=self.circuit)
        self.journal_engine = open_database(url, role=SERVICE_ROLE, pool_size=1)
        self.journal = Journal(root, max_bytes, quarantine_bytes=quarantine_bytes)
        self.log = JournalledLog(DecisionLog(self.engine), self.circuit, self.journal, journals)
        self.drainer = Drainer(self.journal_engine, self.journal)
        self.watcher = StoreWatcher(
            self.circuit, self.drainer, self.journal_engine, partial(look, url)
        )
        self.circuit.connect(wake=self.watcher.wake, changed=self.log.update)
        self.journal.connect(self.log.update)

    def close(self) -> None:
        """Stop looking after Postgres; close connections and files."""
        self.watcher.stop()
        self.engine.dispose()
        self.journal_engine.dispose()
        self.journal.close()
