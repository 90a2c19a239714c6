"""The demo's state between runs, under `home`: lock, settings, fingerprint of the training data."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from scoring.errors import CommandError
from sentinel.home import prepare_home, private, private_directory, write_private


class DemoRunning(CommandError):
    """Another `sentinel demo` of this folder is running; the message names its process."""


@contextlib.contextmanager
def only_demo(home: Path, about: str) -> Iterator[None]:
    """Hold the folder's lock until the block ends; the kernel releases it with the process.

    Args:
        home: directory of this installation's state.
        about: text that the error of a second demo contains, such as this demo's address.

    Raises:
        DemoRunning: another process holds the lock.
    """
    prepare_home(home)
    for name in ("bentoml", "models"):  # which the service fills
        private_directory(home / name)
    with open(home / "demo.lock", "a+", opener=private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DemoRunning(
                f"The demo of this folder is running already ({file.read().strip()}); stop it with "
                "Ctrl-C in its terminal first."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, {about}\n")
        file.flush()
        yield


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write `KEY=value` lines that a shell can source, readable only by the owner."""
    write_private(path, "".join(f"{key}={shlex.quote(text)}\n" for key, text in values.items()))


def read_environment(path: Path) -> dict[str, str]:
    """Read the file of `write_environment`; return an empty dict if it does not exist."""
    if not path.exists():
        return {}
    pairs = (
        item.partition("=") for item in shlex.split(os.fsdecode(path.read_bytes()), comments=True)
    )
    return {key: value for key, _, value in pairs}


def fingerprint(data: Path) -> dict[str, str | int]:
    """Return values that identify the state of a data file, without reading it."""
    status = data.stat()
    return {"path": str(data), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def is_trained_on(home: Path, data: Path) -> bool:
    """Whether the demo trained the model in production on this file in its present state."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return bool(json.loads((home / "demo.data.json").read_text()) == fingerprint(data))
    return False


def remember_data(home: Path, data: Path | None) -> None:
    """Record the file that the model in production was trained on; None is the simulator."""
    about = fingerprint(data) if data else None
    write_private(home / "demo.data.json", json.dumps(about) + "\n")
