"""A command in an awkward terminal, locale or folder ends in a sentence and a status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

PROGRAM = """
import click, os, signal, sys
from sentinel.errors import CommandGroup
from sentinel.local.terminal import open_console

@click.group(cls=CommandGroup)
def group(): pass

@group.command()
@click.argument("count", type=int)
def echo(count):
    for _ in range(count):
        click.echo("± [bold] \\udce9")

@group.command("print")
@click.argument("count", type=int)
def print_(count):
    for _ in range(count):
        open_console().print("± [bold] [/x] :bug: \\udce9")

@group.command()
def interrupt():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

@group.command()
def descriptor():
    click.echo(os.open("/", os.O_RDONLY), err=True)

group()
"""


def shell(command: str, **environment: str) -> tuple[int, str, str]:
    """Run a bash command line in which `$P` is the program; status, stdout, stderr."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=PROJECT,
        capture_output=True,
        timeout=60,
        check=False,
        # A run in the background of a shell ignores SIGINT, and its children would.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={
            **os.environ,
            "P": f"{sys.executable} -c",
            "PROGRAM": PROGRAM,
            "PYTHONIOENCODING": "utf-8",
            **environment,
        },
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("how", ["echo", "print"])
def test_a_reader_that_goes_away_is_no_error(how: str) -> None:
    status, out, err = shell(f'$P "$PROGRAM" {how} 100000 | head -1')
    assert (status, err) == (141, "")
    assert out.startswith("± [bold]")


@pytest.mark.parametrize("how", ["echo", "print"])
def test_a_full_disk_under_stdout_is_one_sentence(how: str) -> None:
    output = shell(f'$P "$PROGRAM" {how} 1 > /dev/full')
    assert output == (1, "", "Error: The disk is full: the output cannot be written.\n")
    assert shell('$P "$PROGRAM" --help > /dev/full') == output


def test_closed_descriptors_do_not_matter_and_are_not_used_for_files() -> None:
    assert shell('$P "$PROGRAM" print 1 >&- 2>&- <&-') == (0, "", "")
    status, out, err = shell('$P "$PROGRAM" descriptor <&- >&-')
    assert (status, out) == (0, "")
    assert int(err) > 2


@pytest.mark.parametrize("how", ["echo", "print"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1:strict", "cp1252"])
def test_a_locale_without_the_characters_shows_something_else(how: str, encoding: str) -> None:
    status, out, err = shell(
        f'$P "$PROGRAM" {how} 1 | iconv -f cp1252 -t utf-8', PYTHONIOENCODING=encoding
    )
    assert (status, err) == (0, "")
    assert "[bold]" in out


def test_ctrl_c_is_one_word_and_the_status_of_a_shell() -> None:
    assert shell('$P "$PROGRAM" interrupt') == (130, "", "Interrupted.\n")
    assert "KeyboardInterrupt" in shell('$P "$PROGRAM" --debug interrupt')[2]


def test_a_folder_that_has_been_removed_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = f"cd {tmp_path}/gone && rmdir ../gone && {sys.executable} -m sentinel tenants list"
    status, _, err = shell(command, PYTHONPATH=str(PROJECT), SENTINEL_HOME=".sentinel")
    assert status == 1
    assert err.splitlines()[-1] == (
        "Error: The working directory has been removed: change to one that exists, or set "
        "SENTINEL_HOME to an absolute path."
    )
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["sentinel", "training"])
def test_an_interpreter_without_the_packages_is_one_sentence(command: str) -> None:
    status, out, err = shell(f"{sys.executable} -S -m {command} --help")
    assert (status, out) == (1, "")
    assert err == (
        f"Error: Sentinel's packages are not installed for {sys.executable}: run `make install` "
        "and use .venv/bin/python.\n"
    )
