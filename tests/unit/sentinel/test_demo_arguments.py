"""Arguments of the demo that do not go together end it before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sentinel.cli.demo import demo
from sentinel.local.demo.errors import DemoError


@pytest.mark.parametrize("data", [None, "payments.csv"])
def test_a_time_without_labels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str | None
) -> None:
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    arguments = ["--time", "when", *(["--data", data] if data else [])]
    done = CliRunner().invoke(demo, arguments)
    assert isinstance(done.exception, DemoError)
    assert str(done.exception) == (
        "TIME=when is a column of a file of your own: name the column of its labels with "
        "LABEL, and the file with DATA."
    )
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("variable", ["PORT", "MLFLOW_PORT"])
@pytest.mark.parametrize("value", ["abc", "0", "65536", "-1", "3.5"])
def test_a_port_that_is_none_is_named_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    rule = "a port is a number from 1 to 65535."
    in_environment = CliRunner().invoke(demo, [], env={variable: value})
    assert isinstance(in_environment.exception, DemoError)
    assert str(in_environment.exception) == f"{variable}={value}: {rule}"

    option = f"--{variable.lower().replace('_', '-')}"
    typed = CliRunner().invoke(demo, [f"{option}={value}"])
    assert typed.exit_code == 2
    assert f"'{option}': '{value}' is no port, a number from 1 to 65535." in typed.output
    assert not (tmp_path / "home").exists()
