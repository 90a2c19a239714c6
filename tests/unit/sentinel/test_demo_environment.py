"""The demo's MLflow is its own: settings for another one do not reach it."""

from __future__ import annotations

import os

import pytest

from sentinel.cli.demo import _forget_other_mlflow


def test_no_setting_for_another_mlflow_reaches_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    present = [name for name in os.environ if name.startswith("MLFLOW_")]
    for name in (*present, "MLFLOW_TRACKING_TOKEN", "MLFLOW_RUN_ID", "MLFLOW_WORKSPACE"):
        monkeypatch.setenv(name, "another's")
    monkeypatch.setenv("SENTINEL_HOME", "kept")
    _forget_other_mlflow()
    assert not [name for name in os.environ if name.startswith("MLFLOW_")]
    assert os.environ["SENTINEL_HOME"] == "kept"
