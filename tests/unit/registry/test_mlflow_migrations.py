"""MLflow's own migrations are found where MLflow is installed in a path with `%`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from alembic.config import Config

from registry.client.mlflow_migrations import escape_script_location


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic's own method again after each test."""
    monkeypatch.setattr(Config, "set_main_option", Config.set_main_option)


def installed_in(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SimpleNamespace(origin=f"{path}/mlflow/__init__.py")
    monkeypatch.setattr("registry.client.mlflow_migrations.find_spec", lambda _name: spec)


def test_a_percent_sign_in_its_path_is_escaped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_in("/50%20", monkeypatch)
    escape_script_location()
    escape_script_location()
    config = Config()
    config.set_main_option("script_location", "/50%20/mlflow")
    assert config.get_main_option("script_location") == "/50%20/mlflow"
    config.set_main_option("sqlalchemy.url", "sqlite:////50%%20/x")
    assert config.get_main_option("sqlalchemy.url") == "sqlite:////50%20/x"
    config.set_main_option("script_location", "/50%%20/ours")
    assert config.get_main_option("script_location") == "/50%20/ours"


def test_elsewhere_alembic_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Config.set_main_option
    installed_in("/plain", monkeypatch)
    escape_script_location()
    assert Config.set_main_option is before
