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
