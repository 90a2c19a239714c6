"""Start the whole system on this machine: `make up`."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # a script imports only from its own folder

from scoring import __version__  # noqa: E402

SETTINGS = ROOT / ".env"
SECRETS = (
    "POSTGRES_PASSWORD",
    "SENTINEL_OWNER_PASSWORD",
    "SENTINEL_LOGIN_PASSWORD",
    "SENTINEL_KEY_SECRET",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "GRAFANA_PASSWORD",
)
COMPOSE = {"docker": ("docker", "compose"), "podman": ("podman", "compose")}
HELP = """
  Service      http://127.0.0.1:{PORT}/docs
  MLflow       http://127.0.0.1:{MLFLOW_PORT}  (admin, MLFLOW_TRACKING_PASSWORD in .env)
  Prometheus   http://127.0.0.1:{PROMETHEUS_PORT}
  Grafana      http://127.0.0.1:{GRAFANA_PORT}  (admin, GRAFANA_PASSWORD in .env)

  A tenant, its key and its first model, which you then promote in MLflow:
  {compose} run --rm operator sentinel tenants create acme
  {compose} run --rm operator sentinel keys issue --tenant acme --scopes score,review --name core
  export MLFLOW_TRACKING_URI=http://127.0.0.1:{MLFLOW_PORT} MLFLOW_TRACKING_USERNAME=admin
  export $(grep ^MLFLOW_TRACKING_PASSWORD= .env)
  .venv/bin/python -m training train --tenant acme

  {compose} down stops all of it; with --volumes it also deletes the data; then delete .env too.
"""
PORTS = {"PORT": "3000", "MLFLOW_PORT": "5000", "PROMETHEUS_PORT": "9090", "GRAFANA_PORT": "3001"}


def main() -> int:
    """Start the system and print its addresses; return 1 after an error."""
    engine = next((name for name, command in COMPOSE.items() if _works(command)), None)
    if engine is None:
        print(
            "`make up` needs Docker with its compose plugin, or podman with podman-compose; neither"
            " runs here.",
            file=sys.stderr,
        )
        return 1
    write_settings(SETTINGS)
    if not _succeeds([engine, "image", "inspect", f"sentinel:{__version__}"]):
        build = [sys.executable, str(ROOT / "deploy/image/make_image.py"), f"--engine={engine}"]
        if (status := subprocess.run(build, check=False).returncode) != 0:  # noqa: S603
            return status
    print("Starting Postgres, MLflow, the service, Prometheus and Grafana ...", flush=True)
    started = subprocess.run(  # noqa: S603 - see COMPOSE
        [*COMPOSE[engine], "up", "--detach"], cwd=ROOT, check=False
    )
    if started.returncode == 0:
        ports = {name: os.environ.get(name, port) for name, port in PORTS.items()}
        print(HELP.format(compose=" ".join(COMPOSE[engine]), **ports))
    return started.returncode


def write_settings(path: Path) -> None:
    """Generate the secrets that the file lacks and write the version; existing secrets stay."""
    lines = path.read_text().splitlines() if path.exists() else []
    names = {line.partition("=")[0] for line in lines}
    lines = [line for line in lines if not line.startswith("SENTINEL_VERSION=")]
    # Hexadecimal: passwords become parts of URLs.
    lines += [f"{name}={secrets.token_hex(24)}" for name in SECRETS if name not in names]
    lines.append(f"SENTINEL_VERSION={__version__}")
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")


def _works(compose: Sequence[str]) -> bool:
    # A docker client may be installed without an engine.
    return (
        shutil.which(compose[0]) is not None
        and _succeeds([*compose, "version"])
        and _succeeds([compose[0], "info"])
    )


def _succeeds(command: Sequence[str]) -> bool:
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - see COMPOSE
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
