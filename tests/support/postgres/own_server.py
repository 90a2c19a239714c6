"""A server of a test's own, which it may stop, freeze and make read-only."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from persistence.maintenance import migrate
from sentinel.local.postgres.embedded import EmbeddedPostgres


class OwnServer:
    """A migrated Postgres at a socket of its own.

    Attributes:
        url: URL of its superuser; the same after a restart.
    """

    def __init__(self, home: Path) -> None:
        """Start it with an empty database of this release's schema."""
        self._postgres = EmbeddedPostgres(home)
        self.url = self._postgres.start()
        migrate.upgrade(self.url)

    def stop(self) -> None:
        """Stop it; nothing listens any more."""
        self._postgres.stop()

    def start(self) -> None:
        """Start it again, with what it had stored."""
        assert self._postgres.start() == self.url

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of it while the block runs: it listens and does not answer."""
        pids = self._pids()
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                _send(pid, signal.SIGCONT)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Refuse every change while the block runs, as after a failover to a standby."""
        self.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        self.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            with psycopg.connect(
                self.url, autocommit=True, options="-c default_transaction_read_only=off"
            ) as connection:
                connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
                connection.execute("SELECT pg_reload_conf()")

    def cut(self) -> None:
        """End every other session, as an administrator does."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def _pids(self) -> list[int]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute("SELECT current_setting('data_directory')").fetchone()
        assert row is not None
        postmaster = int(Path(row[0], "postmaster.pid").read_text().split("\n", 1)[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # a session that has just ended
        os.kill(pid, number)
