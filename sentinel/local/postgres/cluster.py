"""Manage the files and processes of one Postgres cluster with `initdb`, `postgres` and signals.

The server is started without pg_ctl, which passes the paths to a shell between double quotes.
Nothing here is safe to call from two processes at once; `sentinel.local.postgres.embedded` holds a
lock around the calls.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from sentinel.local.postgres.binaries import (
    EmbeddedPostgresError,
    plain_binaries,
    reachable_binaries,
)
from sentinel.local.postgres.os_account import Account, open_path

_log = logging.getLogger(__name__)

ROLE = "sentinel"
_PORT = 5432  # only a part of the socket's name: the server listens on no network address
_SOCKET = f".s.PGSQL.{_PORT}"
_SOCKET_BYTES = 103  # limit of macOS for a socket's path; Linux allows 107
_START_SECONDS = 90.0  # crash recovery replays up to max_wal_size (1 GB)
_STOP_SECONDS = 30.0


class Cluster:
    """The cluster in `root`/data, with its password, log and socket beside it.

    Attributes:
        log: file of the server's log.
    """

    def __init__(self, root: Path) -> None:
        """Set the paths; read and write nothing yet."""
        self._root = root
        self._data = root / "data"
        self.log = root / "server.log"
        self._password = root / "password"
        self._server: subprocess.Popen[bytes] | None = None

    def exists(self) -> bool:
        """Whether the cluster has been created."""
        return (self._data / "PG_VERSION").exists()

    def create(self, account: Account) -> None:
        """Create an empty cluster and rename it into place when it is complete.

        Raises:
            EmbeddedPostgresError: initdb failed; the message ends with its last line.
        """
        binaries = self._reachable_binaries(account)
        for process in self._processes():  # of a cluster whose files were removed while it ran
            process.kill()
        self._password.touch(mode=0o600)
        self._password.write_text(secrets.token_urlsafe(32) + "\n")
        account.give(self._password)
        unfinished = self._root / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = [
            *("-D", str(unfinished), "--username", ROLE),
            *("--pwfile", str(self._password), "--auth=scram-sha-256", "--encoding=UTF8"),
            # The locale built into Postgres: text sorts the same on every machine.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *("--set=listen_addresses=", f"--set=port={_PORT}"),
            *("--set=unix_socket_permissions=0700", "--set=timezone=UTC", "--set=log_timezone=UTC"),
        ]
        with plain_binaries(binaries, account) as plain:
            result = account.run([str(plain / "initdb"), *options])
        if "could not look up effective user ID" in result.stderr:
            raise EmbeddedPostgresError(
                f"The embedded Postgres needs a name for the account with uid {account.uid}, which "
                "has no entry in /etc/passwd: add one, or set DATABASE_URL to another Postgres."
            )
        if result.returncode:
            raise EmbeddedPostgresError(
                f"The embedded Postgres could not be created: {last_line(result.stderr)}"
            )
        unfinished.rename(self._data)

    def start(self, account: Account) -> None:
        """Start the server of an existing cluster that does not run; return when it is ready.

        Raises:
            EmbeddedPostgresError: another major version wrote the cluster, or the server did not
                start.
        """
        binaries = self._reachable_binaries(account)
        self._check_version(binaries, account)
        socket = self._socket_directory(account)
        self._clear_stale_locks(socket)
        offset = self.log.stat().st_size if self.log.exists() else 0
        command = [str(binaries / "postgres"), "-D", str(self._data), "-k", str(socket)]
        self._server = account.spawn(command, self.log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The embedded Postgres did not start: {self._reason(offset)} "
                    f"Its log is {self.log}."
                )
            time.sleep(0.02)

    def stop(self) -> bool:
        """Stop the server: it rolls back open transactions; committed ones are on disk.

        Returns:
            False when it was not running.
        """
        process = self.postmaster()
        if process is None:
            return False
        process.send_signal(signal.SIGINT)
        if not self._wait_for_end(process):
            _log.warning("The embedded Postgres did not stop in %.0f s: killed.", _STOP_SECONDS)
            process.send_signal(signal.SIGQUIT)
            self._wait_for_end(process)
        if self._server is not None:
            self._server.poll()  # reap it
        return True

    def postmaster(self) -> psutil.Process | None:
        """Return the running server process of this cluster, or None."""
        try:
            process = psutil.Process(int(self._pid_lines()[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None
        return process if _works_in(process, self._data) else None

    def address(self) -> tuple[str, Path, str]:
        """Return password, socket directory and port of the running server.

        Raises:
            EmbeddedPostgresError: the server does not become ready.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            # The process that started the server was killed before the server was ready.
            if time.monotonic() > deadline or not self.postmaster():
                raise EmbeddedPostgresError(
                    f"The embedded Postgres did not become ready; its log is {self.log}."
                )
            time.sleep(0.05)
        lines = self._pid_lines()
        return self._password.read_text().strip(), Path(lines[4]), lines[3]

    def _is_ready(self) -> bool:
        lines = self._pid_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _pid_lines(self) -> list[str]:
        """Return the lines of `postmaster.pid`; none before the server has written it.

        They are: pid, data, start time, port, socket directory, host, memory, status.
        """
        with contextlib.suppress(FileNotFoundError):
            return (self._data / "postmaster.pid").read_text().splitlines()
        return []

    def _processes(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _works_in(process, self._data)]

    def _reachable_binaries(self, account: Account) -> Path:
        open_path(self._root, account)
        return reachable_binaries(account)

    def _check_version(self, binaries: Path, account: Account) -> None:
        cluster = (self._data / "PG_VERSION").read_text().strip()
        output = account.run([str(binaries / "postgres"), "--version"]).stdout
        installed = output.split()[-1].split(".")[0] if output else "one that does not run here"
        if cluster != installed:
            raise EmbeddedPostgresError(
                f"{self._data} was written by Postgres {cluster} and the installed one is "
                f"{installed}: dump it with the former, or remove {self._root} to begin with an "
                "empty database."
            )

    def _clear_stale_locks(self, socket: Path) -> None:
        """Remove a killed server's lock files if its process id now belongs to another process.

        Postgres itself removes a lock whose process id is free, but treats any other process as a
        server: after a container's restart the ids repeat, and where the container's first process
        reaps no children the killed server stays a zombie. This waits for processes that outlived
        a killed postmaster, because they still hold its shared memory.
        """
        deadline = time.monotonic() + _STOP_SECONDS
        while self._processes():
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"Processes of an earlier Postgres still use {self._data}; end them first."
                )
            time.sleep(0.05)
        for lock in (self._data / "postmaster.pid", socket / f"{_SOCKET}.lock"):
            with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
                if psutil.pid_exists(abs(int(lock.read_text().splitlines()[0]))):
                    lock.unlink()

    def _socket_directory(self, account: Account) -> Path:
        """Return the directory beside the data, or a private temporary one.

        The latter where the path is too long for a socket, or has a comma, at which Postgres and
        libpq split their lists of directories.
        """
        if len(os.fsencode(self._root / _SOCKET)) <= _SOCKET_BYTES and "," not in str(self._root):
            return self._root
        digest = hashlib.sha256(os.fsencode(self._root)).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"sentinel-{digest}"
        if len(os.fsencode(directory / _SOCKET)) > _SOCKET_BYTES:
            directory = Path("/tmp") / directory.name  # noqa: S108 - private, and checked below
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), account.uid):
            raise EmbeddedPostgresError(
                f"{directory} belongs to another user: remove it, or set SENTINEL_HOME to a "
                "shorter path."
            )
        directory.chmod(0o700)
        account.give(directory)
        open_path(directory, account)
        return directory

    def _wait_for_end(self, process: psutil.Process) -> bool:
        """Wait for a server to end; a zombie counts as ended, since a container may not reap it."""
        deadline = time.monotonic() + _STOP_SECONDS
        while (alive := _works_in(process, self._data)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not alive

    def _reason(self, offset: int) -> str:
        """Return the error that the server logged after `offset` when it did not start."""
        text = self.log.read_bytes()[offset:].decode(errors="replace") if self.log.exists() else ""
        fatal = [line for line in text.splitlines() if "FATAL" in line or "could not" in line]
        return last_line("\n".join(fatal[:1]) or text)


def last_line(text: str) -> str:
    """Return the last line that is not empty, without Postgres's prefix, as a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    sentence = lines[-1].rsplit("FATAL:", 1)[-1].strip() if lines else "it printed nothing"
    return sentence if sentence.endswith(".") else sentence + "."


def _works_in(process: psutil.Process, directory: Path) -> bool:
    """Whether a process is a Postgres of a data directory, its processes' working directory."""
    with contextlib.suppress(psutil.Error, OSError):
        return process.name() == "postgres" and Path(process.cwd()) == directory
    return False
