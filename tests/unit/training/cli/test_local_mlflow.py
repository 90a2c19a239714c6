"""Training without MLFLOW_TRACKING_URI names the MLflow that it uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from sentinel.settings import Settings
from training.cli.context import note_on_local_mlflow
from training.reporting.addresses import show_addresses, show_run


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


@pytest.mark.parametrize(
    ("tracking_uri", "uri"),
    [
        (None, "'sqlite:///{home}/mlflow.db'"),
        ("postgresql://mlflow:secret@db/mlflow", '"$MLFLOW_TRACKING_URI"'),
    ],
)
def test_a_run_without_a_server_has_the_command_that_shows_it_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str | None, uri: str
) -> None:
    home = tmp_path / "a home"
    monkeypatch.setenv("SENTINEL_HOME", str(home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri or "")
    console = Console(width=20)
    with console.capture() as printed:
        show_addresses("5a3f", None, None, console)
    assert printed.get() == (
        f"Run: 5a3f\nTo look at it: mlflow ui --backend-store-uri {uri.format(home=home)}\n"
    )


def test_a_run_that_another_follows_leaves_the_command_to_it() -> None:
    console = Console()
    with console.capture() as printed:
        show_run("5a3f", None, console, what="Search", has_command=False)
    assert printed.get() == "Search: 5a3f\n"


def test_a_run_on_a_server_has_its_address_alone() -> None:
    console = Console()
    with console.capture() as printed:
        show_addresses("5a3f", "http://mlflow/#/run", "http://mlflow/#/version", console)
    assert printed.get() == "Run: http://mlflow/#/run\nVersion: http://mlflow/#/version\n"
