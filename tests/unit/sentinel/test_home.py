"""Other users of the machine can neither read nor change an installation's state."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sentinel.home import prepare_home
from sentinel.settings import Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_a_new_home_is_closed_whatever_the_umask(
    tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "a" / ".sentinel"
    monkeypatch.setenv("SENTINEL_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = os.umask(umask)
    try:
        Settings().create_home()
    finally:
        os.umask(before)
    assert mode(home) == 0o700
    made = {path.name: mode(path) for path in home.iterdir()}
    closed = dict.fromkeys(("models", "journal", "mlartifacts"), 0o700)
    assert made == closed | {"mlflow.db": 0o600}


def test_a_home_beside_an_mlflow_server_has_no_mlflow_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    Settings().create_home()
    made = {path.name for path in (tmp_path / "home").iterdir()}
    assert made == {"journal", "models"}


def test_an_open_home_of_an_earlier_release_is_closed_and_keeps_its_files(tmp_path: Path) -> None:
    home = tmp_path / ".sentinel"
    (home / "models/fraud-demo").mkdir(parents=True)
    (home / "models/fraud-demo/model.txt").write_text("tree")
    (home / "mlflow.db").write_text("a database")
    for path in (home, home / "models", home / "mlflow.db"):
        path.chmod(0o777)
    prepare_home(home)
    assert {mode(path) for path in (home, home / "models", home / "mlflow.db")} == {0o700}
    assert (home / "mlflow.db").read_text() == "a database"
    assert (home / "models/fraud-demo/model.txt").read_text() == "tree"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")
def test_the_embedded_postgres_of_root_may_pass_through_the_home(tmp_path: Path) -> None:
    home = tmp_path / ".sentinel"
    prepare_home(home)
    (home / "mlflow.db").write_text("a database")
    (home / "postgres").mkdir()
    os.chown(home / "postgres", 65534, 65534)
    home.chmod(0o711)
    prepare_home(home)
    assert mode(home) == 0o701
    assert mode(home / "mlflow.db") == 0o600
