"""The resources that all systems share: one embedded Postgres, one MLflow server, files, ports."""

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

import httpx
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
PROJECT = Path(__file__).resolve().parents[2]
SERVING_LOCK = PROJECT / "requirements" / "serving.lock"
_INSTALL_S = 1200
_READY_S = 300.0
_CONNECTIONS = 300
"""Connections that Postgres allows, because suspended systems keep their pools."""
_SETTINGS = (
    *("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"),
    "max_connections",
)


class InstallError(Exception):
    """A system's packages could not be installed; the message is pip's last error."""


class Testbed:
    """Starts Postgres and MLflow, and makes databases and environments for the systems.

    Args:
        home: directory of all files; kept between runs, except for the databases.
        resources: exit stack that stops all programs.

    Attributes:
        service_python: interpreter that runs the service; the current one until
            `install_service`.
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
        self.mlflow = mlflow
        mlflow.wait_until_ready()
        # MLflow's client, which logs the models here, reads its login from the environment.
        os.environ |= mlflow.login.environment
        self.tracking = Tracking(mlflow.url, home / "mlartifacts")

    def own(self, child: Child) -> None:
        """Stop a program at the end of the run; the next run stops it if this one is killed."""
        self._resources.callback(child.stop)
        self._children.append(child)
        self._ledger.write(self._children)

    def database(self, name: str) -> str:
        """Create an empty database, in place of an existing one of that name; return its URL."""
        with self._connected() as connection:
            identifier = sql.Identifier(name)
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
            connection.execute(drop)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        return self._url.replace("@/sentinel?", f"@/{name}?")

    def tenant(self, name: str, registered: str) -> tuple[str, str]:
        """Create a migrated database with one tenant.

        Args:
            name: name of the database.
            registered: tenant's registered model in MLflow.

        Returns:
            URL of the database, and an API key of the tenant.
        """
        url = self.database(name)
        migrate.upgrade(url)
        engine = open_database(url, pool_size=1)
        try:
            tenant = tenants.create_tenant(engine, "bench", registered)
            return url, api_keys.issue_key(engine, tenant.id, ("score", "review"), KEY_SECRET)
        finally:
            engine.dispose()

    def serve(self, name: str, database: str, tree: Path = PROJECT) -> tuple[Child, int]:
        """Start the service with one worker and wait until it is ready; return it and its port.

        Args:
            name: name of the service's files.
            database: URL of its database.
            tree: project whose service it is.

        Raises:
            ProcessError: the service ended, or was not ready in time.
        """
        port = free_port()
        child = Child(
            name,
            [
                *(self.service_python, "-m", "bentoml", "serve", "service:Sentinel"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            log=self.home / "logs" / f"{name}.log",
            environment=self.service_environment(name, database, workers=1)
            | {"PYTHONPATH": str(tree)},
            directory=tree,
        )
        self.own(child)
        child.wait_until(lambda: _is_ready(f"http://127.0.0.1:{port}/readyz"), _READY_S)
        return child, port

    def service_environment(self, name: str, database: str, workers: int) -> dict[str, str]:
        """Return the environment of a service.

        Args:
            name: name of the service's files.
            database: URL of its database.
            workers: number of its workers.
        """
        home = self.home / "services" / name
        return child_environment(
            DATABASE_URL=database,
            MLFLOW_TRACKING_URI=self.mlflow.url,
            **self.mlflow.login.environment,
            SENTINEL_HOME=str(home),
            SENTINEL_KEY_SECRET=KEY_SECRET.decode(),
            BENTOML_HOME=str(home / "bentoml"),
            BENTOML_DO_NOT_TRACK="True",
            BENTOML_CONFIG_OPTIONS=f"services.sentinel.workers={workers}",
        )

    def checkpoint(self) -> None:
        """Write dirty pages to disk, so that no measurement includes the writes of the previous."""
        with self._connected() as connection:
            connection.execute("CHECKPOINT")

    def postgres_settings(self) -> dict[str, str]:
        """Return the settings that determine the cost of a commit."""
        with self._connected() as connection:
            return {
                name: str(connection.execute(f"SHOW {name}").fetchone()[0])  # type: ignore[index]
                for name in _SETTINGS
            }

    def install_service(self) -> None:
        """Install the environment of the Bento, from the same lock file, for the service.

        Raises:
            InstallError: pip could not install it; the service then runs in this environment.
        """
        digest = hashlib.sha256(SERVING_LOCK.read_bytes()).hexdigest()
        options = ["--require-hashes", "--only-binary", ":all:", "-r", str(SERVING_LOCK)]
        self.service_python = str(self.environment("service", options, digest) / "python")

    def environment(self, name: str, requirements: Sequence[str], digest: str = "") -> Path:
        """Return the bin directory of a virtual environment with packages; create it if needed.

        Args:
            name: name of the environment's folder.
            requirements: arguments of `pip install`.
            digest: digest of the files in the arguments; a new digest creates the environment
                again.

        Raises:
            InstallError: pip could not install them.
        """
        folder = self.home / "venvs" / name
        record = folder / "installed.json"
        installation = json.dumps([sys.version, digest, *requirements])
        if record.exists() and record.read_text() == installation:
            return folder / "bin"
        log = self.home / "logs" / f"install-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        venv = [sys.executable, "-m", "venv", "--clear", str(folder)]
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input", *requirements]
        with log.open("w") as output:
            for command in (venv, pip):
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
        record.write_text(installation)
        return folder / "bin"

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._url, autocommit=True)


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def child_environment(**more: str) -> dict[str, str]:
    """Return this environment without the variables of another installation.

    It also lacks PYTHONDONTWRITEBYTECODE, with which each start would compile all modules for 5 s,
    unlike in a deployment.
    """
    ours = (
        *("SENTINEL_", "MLFLOW_", "MLSERVER_", "BENTOML_", "DATABASE_URL", "PG", "OMP_"),
        "PYTHONDONTWRITEBYTECODE",
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | more


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _last_error(output: str) -> str:
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return (errors or ["pip ended early."])[-1].removeprefix("ERROR: ")
