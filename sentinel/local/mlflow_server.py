"""Run an MLflow server with SQLite and plain files under `home`, on the loopback interface.

A login keeps the other users of the machine out.
"""

from __future__ import annotations

import os
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx

from sentinel.home import (
    MLFLOW_DATABASE,
    prepare_home,
    private_database,
    private_directory,
)
from sentinel.local.mlflow_login import ensure_login, login_settings
from sentinel.local.processes import Child, ProcessError, check_port

_START_SECONDS = 120.0  # 4 s on two idle cores; the first start also makes the tables


class MlflowServer:
    """A running MLflow server of one `home` directory."""

    def __init__(self, home: Path, port: int) -> None:
        """Start the server; it is ready after `wait_until_ready`.

        Raises:
            ProcessError: the port is taken, or MLflow is not installed.
        """
        if find_spec("mlflow") is None:
            raise ProcessError("MLflow is not installed: run pip install 'sentinel[training]'.")
        check_port(port, "MLFLOW_PORT", "MLflow")
        prepare_home(home)
        private_directory(home / "mlartifacts")
        private_database(home / MLFLOW_DATABASE)
        self.login = ensure_login(home)
        self._port = port
        command = [
            *(sys.executable, "-m", "sentinel.local.mlflow_program", "--app-name", "basic-auth"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{home / MLFLOW_DATABASE}"),
            # Files and no proxy: local clients read artefacts from the disk; other clients download
            # them by model version, which the server allows without a proxy too. A URI, since
            # MLflow decodes a plain path: a directory `50%20` would become `50 `.
            *("--default-artifact-root", (home / "mlartifacts").as_uri(), "--no-serve-artifacts"),
            *("--workers", "1"),
        ]
        inherited = {key: value for key, value in os.environ.items() if key[:7] != "MLFLOW_"}
        self.child = Child(
            "MLflow",
            command,
            log=home / "logs" / "mlflow.log",
            environment=inherited
            | {
                # The job runners take 1.4 GB, the server without them 0.35 GB.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_AUTH_CONFIG_PATH": str(login_settings(home)),
                # Signs the forms of the pages; they need not outlive the server.
                "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(),
            },
            directory=home,
        )

    @property
    def url(self) -> str:
        """The value of MLFLOW_TRACKING_URI for this server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def url_with_login(self) -> str:
        """The URL with user and password, which neither a log nor a terminal may show."""
        return f"http://{self.login.user}:{self.login.password}@127.0.0.1:{self._port}"

    def wait_until_ready(self) -> None:
        """Wait until this server, not another on the port, is healthy.

        Raises:
            ProcessError: the server ended, or is not ready in time.
        """
        self.child.wait_until(
            lambda: self.child.listens_on(self._port) and self._is_healthy(), _START_SECONDS
        )

    def stop(self) -> None:
        """Stop the server after the requests that it has begun."""
        self.child.stop()

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False
