"""Neither the service nor a training reports its use to anyone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from sentinel.local.processes import Child
from tests.support.outside_world import OutsideWorld
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET

EXPERIMENT = """
import mlflow, time
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.create_experiment("any")
time.sleep(2)
"""


@pytest.mark.parametrize(
    ("command", "address"),
    [
        (["-m", "bentoml", "list"], "CONNECT t.bentoml.com:443"),
        (["-c", EXPERIMENT], "CONNECT config.mlflow-telemetry.io:443"),
    ],
    ids=["bentoml", "mlflow"],
)
def test_the_libraries_alone_report_their_use_and_the_recorder_sees_it(
    command: list[str], address: str, outside_world: OutsideWorld, tmp_path: Path
) -> None:
    home = {"BENTOML_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**outside_world.environment(dict(os.environ)), **home},
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert [request for request in outside_world.requests if request.startswith(address)]


def test_the_served_checkout_reports_nothing_from_start_to_end(
    outside_world: OutsideWorld,
    database: str,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    port = free_port()
    child = Child(
        "the service",
        [sys.executable, "-m", "bentoml", "serve", "service:Sentinel", "--port", str(port)],
        log=tmp_path / "service.log",
        environment={
            **outside_world.environment(dict(os.environ)),
            "DATABASE_URL": database,
            "SENTINEL_HOME": str(tmp_path),
            "SENTINEL_KEY_SECRET": KEY_SECRET.decode(),
            "BENTOML_HOME": str(tmp_path / "bentoml"),
        },
        directory=PROJECT,
    )
    child.wait_until(lambda: _is_alive(port), 60)
    child.stop()
    assert outside_world.requests == []


def _is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).is_success
    except httpx.TransportError:
        return False
