"""`--data` names one file, which is looked at before anything else."""

from __future__ import annotations

from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from training.__main__ import COMMANDS, cli
from training.data.loading import COLUMNS

LEAVES = [name for name in COMMANDS if name != "features"]
"""Commands that read data; `features` is a group of its own."""


@pytest.mark.parametrize("command", LEAVES)
def test_a_second_file_is_refused_by_every_command(command: str, tmp_path: Path) -> None:
    arguments = [command, "--tenant", "acme"]
    for name in ("a.csv", "b.csv"):
        path = tmp_path / name
        path.touch()
        arguments += ["--data", str(path)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == click.UsageError.exit_code
    assert "--data was given twice; name one file." in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.csv", None, "none.csv is not a file."),
        ("folder.csv", "", "folder.csv is a directory; name one file."),
        ("a.xlsx", b"PK", "a.xlsx must end in .csv, .csv.gz, .tsv, .tsv.gz or .parquet."),
        ("a.csv", b"PAR1", "a.csv is a Parquet file: give it a name that ends in .parquet."),
        ("a.csv.gz", b"\x1f\x8b\x08", "a.csv.gz cannot be read: "),
        ("a.parquet", b"step,type\n", "a.parquet cannot be read: "),
    ],
)
@pytest.mark.parametrize("command", LEAVES)
def test_a_file_that_cannot_be_trained_on_ends_every_command_before_its_first_stage(
    command: str, name: str, content: bytes | str | None, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    done = CliRunner().invoke(cli, [command, "--tenant", "acme", "--data", str(path)])
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert reason in done.output
    assert done.output.count("\n") == 1, "and no stage"


@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_file_without_a_column_is_refused_where_paysims_are_wanted(
    command: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"step,type\n1,PAYMENT\n")
    done = CliRunner().invoke(cli, [command, "--tenant", "acme", "--data", str(path)])
    assert done.exit_code == 1
    assert "a.csv lacks the columns amount, nameOrig," in done.output
    assert "For columns of your own give --event-type;" in done.output
    assert done.output.count("\n") == 1, "and no stage"


@pytest.mark.parametrize("command", ["train", "tune"])
@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        (
            "name: cards\nlabel: FRAUD\nfields:\n  PRICE: {kind: number}\n",
            "lacks the columns FRAUD",
        ),
        ("name: cards\nfields:\n  step: {kind: integer}\n", "The event type cards has no label"),
    ],
)
def test_a_file_that_does_not_fit_the_event_type_is_refused_before_the_first_stage(
    command: str, event_type: str, reason: str, tmp_path: Path
) -> None:
    data, description = tmp_path / "a.csv", tmp_path / "cards.yaml"
    data.write_text("step,type\n1,PAYMENT\n")
    description.write_text(event_type)
    arguments = ["--tenant", "acme", "--data", str(data), "--event-type", str(description)]
    done = CliRunner().invoke(cli, [command, *arguments])
    assert done.exit_code == 1
    assert reason in done.output
    assert done.output.count("\n") == 1, "and no stage"


@pytest.mark.parametrize("command", ["train", "tune"])
def test_an_event_type_without_events_is_a_usage_error_before_its_first_stage(
    command: str, tmp_path: Path
) -> None:
    arguments = [command, "--tenant", "acme", "--event-type", str(tmp_path / "payments.yaml")]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == click.UsageError.exit_code
    assert "--event-type needs --data; without it PaySim's are simulated." in done.output
    assert "No --data" not in done.output


@pytest.mark.parametrize("option", ["--event-type", "--features"])
@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_file_that_cannot_be_read_ends_the_command_before_its_first_stage(
    command: str, option: str, tmp_path: Path
) -> None:
    data = tmp_path / "a.csv"
    data.write_text(f"{','.join(COLUMNS)}\n1,PAYMENT,12.50,C1,100.0,M1,0.0,0\n")
    arguments = [command, "--tenant", "acme", "--data", str(data), option, str(tmp_path / "none")]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 1
    assert "none cannot be read: No such file or directory." in done.output
    assert done.output.count("\n") == 1, "and no stage"


def test_a_parquet_file_without_a_column_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"step": [1], "type": ["PAYMENT"]}), path)
    done = CliRunner().invoke(cli, ["train", "--tenant", "acme", "--data", str(path)])
    assert done.exit_code == 1
    assert "a.parquet lacks the columns amount, nameOrig," in done.output
