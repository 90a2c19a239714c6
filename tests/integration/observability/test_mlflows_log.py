"""MLflow's records are in the log of the service, as JSON, and not beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import PROJECT

PROGRAM = """
import sys
from observability.logging import set_up

set_up("json", "info")
from registry.client.factory import open_registry

assert open_registry(sys.argv[1]).resolve("fraud-acme", "production") is None
import logging

logging.getLogger("mlflow.store.db.utils").warning("a warning of MLflow's")
"""


def test_a_service_that_makes_the_sqlite_file_of_mlflow_writes_only_json(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path}/mlflow.db"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (tmp_path / "mlflow.db").exists()
    assert done.stdout == ""
    messages = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert messages == ["a warning of MLflow's"]
