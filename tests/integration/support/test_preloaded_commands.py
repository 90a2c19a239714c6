"""A command in a child of the preloaded process is as one that an interpreter was started for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import atexit, json, os, signal, sys, time
from pathlib import Path

atexit.register(print, "at exit")
print(json.dumps({
    "argv": sys.argv, "name": __name__, "directory": os.getcwd(), "path": sys.path[0],
    "variable": os.environ.get("OF_THE_TEST"), "home": os.environ.get("HOME"),
    "stdin": sys.stdin.read(), "package": __spec__.name,
}))
print("to stderr", file=sys.stderr)
what = sys.argv[1]
if what == "status":
    sys.exit(int(sys.argv[2]))
if what == "sentence":
    sys.exit("a sentence")
if what == "failure":
    raise ValueError("of the test")
if what == "signal":
    os.kill(os.getpid(), int(sys.argv[2]))
if what == "wait":
    Path("running").write_text(str(os.getpid()))
    print("waits", flush=True)
    time.sleep(60)
"""
INTERPRETER = [sys.executable, "-m"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "HOME"}
    return kept | {"OF_THE_TEST": "ü \udcff"}


def run(start: Sequence[str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*start, "program", *arguments], cwd=folder, env=environment(), input="typed",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [("status", "0"), ("status", "3"), ("sentence",), ("signal", "9"), ("signal", "15"), ("end",)],
)
def test_output_status_and_surroundings_are_those_of_an_interpreter(
    preloaded: list[str], folder: Path, arguments: tuple[str, ...]
) -> None:
    expected, found = (run(start, folder, *arguments) for start in (INTERPRETER, preloaded))
    assert (found.returncode, found.stdout, found.stderr) == (
        expected.returncode, expected.stdout, expected.stderr,
    )  # fmt: skip


def test_a_failure_is_a_traceback(preloaded: list[str], folder: Path) -> None:
    done = run(preloaded, folder, "failure")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "to stderr"
    assert done.stderr.splitlines()[1] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[-1] == "ValueError: of the test"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_command_and_its_session(
    preloaded: list[str], folder: Path, number: signal.Signals
) -> None:
    # A program that a shell starts with `&` ignores SIGINT, and so would those that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*preloaded, "program", "wait"], cwd=folder, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert "waits\n" in iter(process.stdout.readline, "")
    pid = int((folder / "running").read_text())
    assert os.getsid(pid) == pid
    command = psutil.Process(pid)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == -number
    command.wait(10)
