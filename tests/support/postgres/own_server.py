"""A server of a test's own, which it may stop, freeze and make read-only."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from persistence.maintenance import migrate
from sentinel.local.postgres.binaries import reachable_binaries
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.postgres.os_account import open_path, postgres_account


class OwnServer:
    """A migrated Postgres at a socket of its own, or a standby of another one.

    Attributes:
        url: URL of its superuser; the same after a restart.
    """

    def __init__(self, home: Path, primary: OwnServer | None = None) -> None:
        """Start it with an empty database of this release's schema, or as a standby.

        Args:
            home: folder of its files.
            primary: server whose changes it streams until it is promoted.
        """
        self._postgres = EmbeddedPostgres(home)
        if primary is not None:
            _back_up(primary.url, home / "postgres")
        self.url: str = self._postgres.start()
        if primary is None:
            migrate.upgrade(self.url)
        self._data = Path(self._value("current_setting('data_directory')"))

    def stop(self) -> None:
        """Stop it; nothing listens any more."""
        self._postgres.stop()

    def kill(self) -> None:
        """Kill every process of it at once, as a machine that loses its power does."""
        for pid in self._pids():
            _send(pid, signal.SIGKILL)

    def start(self) -> None:
        """Start it again, with what it had stored."""
        assert self._postgres.start() == self.url

    def is_running(self) -> bool:
        """Whether its first process lives."""
        return self._postgres.is_running()

    def kill_first_process(self) -> None:
        """Kill its first process with SIGKILL; the others end when they notice."""
        _send(self._postmaster(), signal.SIGKILL)

    def kill_session(self) -> None:
        """Kill a session with SIGKILL, upon which Postgres ends all of them and recovers."""
        _send(
            int(
                self._value(
                    "coalesce(max(pid), 0) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"
                )
            ),
            signal.SIGKILL,
        )

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

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

    def _value(self, expression: str) -> str:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(f"SELECT {expression}").fetchone()
        assert row is not None
        return str(row[0])

    def _postmaster(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def _pids(self) -> list[int]:
        postmaster = self._postmaster()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]


def several(*servers: OwnServer) -> str:
    """Return the URL that names several servers, in order, with the login of the first."""
    parts = urlsplit(servers[0].url)
    places = [conninfo_to_dict(server.url) for server in servers]
    query = {name: ",".join(str(place[name]) for place in places) for name in ("host", "port")}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _back_up(url: str, root: Path) -> None:
    """Copy a running server's files, with what makes the copy its standby; 1 s."""
    root.mkdir(mode=0o700)
    account = postgres_account(root)
    account.give(root)
    password = root / "password"
    password.write_text(f"{conninfo_to_dict(url)['password']}\n")
    password.chmod(0o600)
    account.give(password)
    open_path(root, account)
    program = reachable_binaries(account) / "pg_basebackup"
    options = ["-D", str(root / "data"), "-d", url, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    done = account.run([str(program), *options])
    assert done.returncode == 0, done.stderr


def _send(pid: int, number: signal.Signals) -> None:
    if not pid:  # kill(0) would be every process of the caller's group
        return
    with suppress(ProcessLookupError):  # a session that has just ended
        os.kill(pid, number)
