"""A configuration file sets the options of any command; flags override it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from training.__main__ import COMMANDS, cli
from training.cli import options
from training.cli.config_file import configurable, configuration
from training.tracking.run_config import Choice, Configuration

Run = Callable[..., tuple[Result, Configuration | None]]

LEAVES = [name for name in COMMANDS if name != "features"]
"""Commands that read data; `features` is a group of its own."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A command with some options, called with a file of this text and these flags."""

    def call(text: str, *flags: str, name: str = "c.yaml") -> tuple[Result, Configuration | None]:
        seen: list[Configuration] = []

        @click.command("fit")
        @options.tenant_option
        @options.seed
        @options.cost
        @options.false_alarm
        @options.optional_data
        @click.option("--force", is_flag=True)
        def command(**_: Any) -> None:
            seen.append(configuration())

        path = tmp_path / name
        path.write_text(text)
        done = CliRunner().invoke(configurable(command), ["--config", str(path), *flags])
        return done, seen[0] if seen else None

    return call


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "tenant: acme\nfalse-alarm: 7\nforce: true\n"),
        ("c.yml", "tenant: acme\nfalse_alarm: 7\nforce: yes\n"),
        ("c.toml", 'tenant = "acme"\nfalse_alarm = 7.0\nforce = true\n'),
    ],
)
def test_flags_override_the_file_and_the_file_overrides_defaults(
    run: Run, name: str, text: str
) -> None:
    done, result = run(text, "--false-alarm", "9", name=name)
    assert done.exit_code == 0, done.output
    assert result is not None
    assert result.command == "fit"
    assert (result.file_name, result.file_text) == (name, text)
    assert result.options == {
        "tenant": Choice("acme", "file"),
        "false_alarm": Choice(9.0, "flag"),
        "force": Choice(True, "file"),
        "seed": Choice(7, "default"),
        "cost": Choice("flat", "default"),
        "data": Choice(None, "default"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tenant: acme\nsead: 3\n", "c.yaml: sead is not an option of `fit`; did you mean seed?"),
        ("tenant: acme\nxyzzy: 3\n", "xyzzy is not an option of `fit`; its options are tenant"),
        ("tenant: acme\nseed: many\n", "c.yaml: seed must be a whole number, not 'many'."),
        ("tenant: acme\nseed: 1.5\n", "seed must be a whole number, not 1.5."),
        ("tenant: acme\nseed: true\n", "seed must be a whole number, not True."),
        ("tenant: acme\nseed: -1\n", "c.yaml: seed cannot be used: -1 is not in the range"),
        ("tenant: acme\nforce: 1\n", "force must be true or false, not 1."),
        ("tenant: acme\ncost: [flat]\n", "cost must be text, not ['flat']."),
        ("tenant: acme\ncost: dear\n", "cost cannot be used: 'dear' is not one of"),
        ("tenant: No Slug\n", "tenant cannot be used: use 2 to 40 lower-case letters"),
        ("tenant: acme\nfalse-alarm: 1\nfalse_alarm: 2\n", "c.yaml gives false_alarm twice."),
        ("tenant: acme\nconfig: other.yaml\n", "config is not an option"),
        ("tenant: acme\nseed: 1\nseed: 2\n", "c.yaml cannot be read: seed is given twice in"),
        ("- tenant\n", "c.yaml must hold options by name"),
        ("tenant: [\n", "c.yaml cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_refused_by_name(run: Run, text: str, expected: str) -> None:
    done, result = run(text)
    assert done.exit_code == 1
    assert result is None
    assert done.output.startswith("Error: ")
    assert expected in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"), [("c.yaml", "tenant: acme"), ("c.toml", "tenant='acme'")]
)
def test_a_byte_order_mark_does_not_matter(run: Run, name: str, text: str) -> None:
    done, result = run("\ufeff" + text, name=name)
    assert done.exit_code == 0, done.output
    assert result is not None
    assert result.options["tenant"] == Choice("acme", "file")


def test_a_file_of_another_kind_is_refused(run: Run) -> None:
    done, _ = run("tenant: acme", name="c.ini")
    assert "c.ini must end in .yaml, .yml or .toml." in done.output
    done, _ = run("tenant: acme", name="c.toml")
    assert "c.toml cannot be read" in done.output


def test_a_missing_file_is_refused() -> None:
    done = CliRunner().invoke(cli, ["train", "--config", "nowhere.yaml"])
    assert done.exit_code == 1
    assert "nowhere.yaml cannot be read: No such file or directory." in done.output


def test_an_empty_file_changes_nothing(run: Run) -> None:
    done, result = run("", "--tenant", "acme")
    assert done.exit_code == 0, done.output
    assert result is not None
    assert result.options["tenant"] == Choice("acme", "flag")


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_takes_a_file(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0
    assert done.output.count("--config PATH") == 1
