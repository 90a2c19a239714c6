"""`sentinel event-types infer` prints or writes a draft that reads back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from scoring.event_type.document import from_document
from sentinel.cli.main import main
from tests.support.data.event_files import ROWS, cells, write_csv


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of payments."""
    columns = {
        "when": [f"2026-03-{1 + i % 30:02d}" for i in range(ROWS)],
        "amount": cells(1.5, 2.5, 7),
        "kind": cells("a", "b", "c"),
        "fraud": cells(0, 1, 0, 0, 0, 0, 0),
    }
    return write_csv(tmp_path / "payments.csv", columns, separator=";")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["event-types", "infer", *map(str, arguments)])


def test_the_draft_is_printed(file: Path) -> None:
    done = run(file, "--label", "fraud")
    assert done.exit_code == 0
    event_type = from_document(yaml.safe_load(done.stdout))
    assert [(f.name, f.role) for f in event_type.fields] == [
        ("when", "time"), ("amount", "amount"), ("kind", None)
    ]  # fmt: skip


def test_the_draft_is_written_to_a_new_file_only(file: Path, tmp_path: Path) -> None:
    output = tmp_path / "payments.yaml"
    done = run(file, "--label", "fraud", "--time", "when", "--output", output)
    assert done.stdout == f"Wrote {output}: 3 fields, and 0 ignored.\n"
    assert output.read_text() == run(file, "--label", "fraud").stdout
    again = run(file, "--label", "fraud", "--output", output)
    assert (again.exit_code, again.stderr) == (1, f"Error: {output} exists; name another file.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "isFraud"], "payments.csv lacks the column isFraud; its columns are when, a"),
        (["--label", "amount"], "row 1 (line 2): the label amount must be 0 or 1"),
        (["--label", "fraud", "--time", "kind"], "the column kind is no time; write times in"),
        ([], "Missing option '--label'"),
    ],
)
def test_a_mistake_is_one_sentence(file: Path, arguments: list[str], message: str) -> None:
    done = run(file, *arguments)
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "none.csv", "--label", "y")
    assert (done.exit_code, done.stderr) == (1, f"Error: {tmp_path}/none.csv is not a file.\n")
