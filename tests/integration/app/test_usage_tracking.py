"""BentoML and MLflow report their use, and the tests' recorder sees it.

That Sentinel reports nothing is tested where it runs anyway: `tests/e2e/docs/test_readme.py` (every
command from an empty folder to the service), `tests/e2e/deploy/test_bento.py` (build and Bento)
and `tests/integration/training/test_train_command.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.outside_world import OutsideWorld

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
