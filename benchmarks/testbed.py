"""What all systems share: one embedded Postgres, one MLflow server, files, ports."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import sql

from persistence import api_keys, tenants
from persistence.engine import open_database
from persistence.maintenance import migrate
from registry.publish.tracking import Tracking
from sentinel.local.mlflow_server import MlflowServer
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.processes import Child, Ledger

KEY_SECRET = b"a secret of the benchmark"
PROJECT = Path(__file__).resolve().parents[1]
SERVING_LOCK = PROJECT / "requirements" / "serving.lock"
_INSTALL_S = 1200
_CONNECTIONS = 300
"""Suspended systems keep their pools."""
_SETTINGS = (
    *("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"),
    "max_connections",
)


class InstallError(Exception):
    """A system's packages could not be installed; the message is pip's last error."""


class Testbed:
    """Starts Postgres and MLflow, and makes databases and environments for the systems.

    Args:
        home: directory of everything; kept between runs, except for the databases.
        resources: ends everything when it is closed.

    Attributes:
        service_python: interpreter that runs the service: this one until `install_service`.
    """

    def __init__(self, home: Path, resources: ExitStack) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.service_python = sys.executable
        self._resources = resources
        self._ledger = Ledger(home / "bench.processes.json")
        self._ledger.end_leftovers()
        resources.callback(self._ledger.end_leftovers)
        self._children: list[Child] = []
        postgres = EmbeddedPostgres(home)
        resources.callback(postgres.release)
        self._url = postgres.start()
        if int(self.postgres_settings()["max_connections"]) < _CONNECTIONS:
            with self._connected() as connection:
                connection.execute(f"ALTER SYSTEM SET max_connections = {_CONNECTIONS}")
            postgres.stop()
            self._url = postgres.start()
        mlflow = MlflowServer(home, free_port())
        self.own(mlflow.child)
        self.mlflow_url = mlflow.url
        mlflow.wait_until_ready()
        self.tracking = Tracking(mlflow.url, home / "mlartifacts")

    def own(self, child: Child) -> None:
        """End a program with everything else; after a kill, the next run ends it."""
        self._resources.callback(child.stop)
        self._children.append(child)
        self._ledger.write(self._children)

    def database(self, name: str) -> str:
        """Make an empty database in place of the one of that name; return its URL."""
        with self._connected() as connection:
            named = sql.Identifier(name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(named))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(named))
        return self._url.replace("@/sentinel?", f"@/{name}?")

    def tenant(self, name: str, registered: str) -> tuple[str, str]:
        """Make a migrated database with one tenant.

        Args:
            name: of the database. registered: the tenant's model in MLflow.

        Returns:
            The database's URL and an API key.
        """
        url = self.database(name)
        migrate.upgrade(url)
        engine = open_database(url, pool_size=1)
        try:
            tenant = tenants.create_tenant(engine, "bench", registered)
            return url, api_keys.issue_key(engine, tenant.id, ("score", "review"), KEY_SECRET)
        finally:
            engine.dispose()

    def checkpoint(self) -> None:
        """Write dirty pages, so that a measurement does not pay for the one before."""
        with self._connected() as connection:
            connection.execute("CHECKPOINT")

    def postgres_settings(self) -> dict[str, str]:
        """Return the settings that decide what a commit costs."""
        with self._connected() as connection:
            return {
                name: str(connection.execute(f"SHOW {name}").fetchone()[0])  # type: ignore[index]
                for name in _SETTINGS
            }

    def install_service(self) -> None:
        """Run the service in the environment that the Bento carries, from the same lock file.

        Raises:
            InstallError: pip could not install it; the service runs in our environment then.
        """
        digest = hashlib.sha256(SERVING_LOCK.read_bytes()).hexdigest()
        options = ["--require-hashes", "--only-binary", ":all:", "-r", str(SERVING_LOCK)]
        self.service_python = str(self.environment("service", options, digest) / "python")

    def environment(self, name: str, requirements: Sequence[str], digest: str = "") -> Path:
        """Return the bin directory of a virtual environment with these packages, made at need.

        Args:
            name: name of its folder.
            requirements: arguments of `pip install`.
            digest: digest of the files that the arguments name; another one makes it again.

        Raises:
            InstallError: pip could not install them.
        """
        place = self.home / "venvs" / name
        done = place / "installed.json"
        wanted = json.dumps([sys.version, digest, *requirements])
        if done.exists() and done.read_text() == wanted:
            return place / "bin"
        log = self.home / "logs" / f"install-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        make = [sys.executable, "-m", "venv", "--clear", str(place)]
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--no-input", *requirements]
        with log.open("w") as output:
            for command in (make, pip):
                try:
                    status = subprocess.run(  # noqa: S603 - our own commands
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        timeout=_INSTALL_S,
                        check=False,
                    ).returncode
                except subprocess.TimeoutExpired:
                    raise InstallError(f"pip took more than {_INSTALL_S} s.") from None
                if status:
                    raise InstallError(_last_error(log.read_text()))
        done.write_text(wanted)
        return place / "bin"

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._url, autocommit=True)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def child_environment(**more: str) -> dict[str, str]:
    """Return this environment without the variables of another installation.

    Without PYTHONDONTWRITEBYTECODE too: compiling all modules at each start takes 5 s, which no
    deployment does.
    """
    ours = (
        *("SENTINEL_", "MLFLOW_", "MLSERVER_", "BENTOML_", "DATABASE_URL", "PG", "OMP_"),
        "PYTHONDONTWRITEBYTECODE",
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | more


def _last_error(output: str) -> str:
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return (errors or ["pip ended early."])[-1].removeprefix("ERROR: ")
