"""A promotion names the login at MLflow, else the user of the operating system."""

from __future__ import annotations

import pytest

from persistence.actor import Actor
from sentinel.command_actor import os_user
from training.cli.promote import promoter


def test_the_login_at_mlflow_comes_before_the_user_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    assert promoter() == Actor(os_user(), via="python -m training promote")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    assert promoter().name == "anna"
