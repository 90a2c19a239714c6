"""Training without MLFLOW_TRACKING_URI names the MLflow that it uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.settings import Settings
from training.cli.context import note_on_local_mlflow


def test_a_training_without_a_server_names_its_mlflow_and_the_way_to_the_demos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SENTINEL_HOME", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " ")
    note = "MLFLOW_TRACKING_URI is not set: runs and models go to .sentinel/mlflow.db"
    assert note_on_local_mlflow(Settings()) == f"{note}."
    (tmp_path / ".sentinel").mkdir()
    (tmp_path / ".sentinel/demo.env").touch()
    assert note_on_local_mlflow(Settings()) == (
        f"{note}; to use the demo's server: set -a; . .sentinel/demo.env; set +a"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert note_on_local_mlflow(Settings()) is None
