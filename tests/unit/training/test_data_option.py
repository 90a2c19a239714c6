"""`--data` names one file."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from training.__main__ import COMMANDS, cli


@pytest.mark.parametrize("command", COMMANDS)
def test_a_second_file_is_refused_by_every_command(command: str, tmp_path: Path) -> None:
    arguments = [command, "--tenant", "acme"]
    for name in ("a.csv", "b.csv"):
        path = tmp_path / name
        path.touch()
        arguments += ["--data", str(path)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == click.UsageError.exit_code
    assert "--data was given twice; name one file." in " ".join(done.output.split())
