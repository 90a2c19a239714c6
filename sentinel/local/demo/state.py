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

_DATA = "demo.data.json"

Fingerprint = dict[str, str | int | bool | None]
"""What a model was trained on: path, size and time of change of a file, names of its columns."""


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


def fingerprint(data: Path, label: str | None = None, time: str | None = None) -> Fingerprint:
    """Return values that identify the state of a data file, without reading it.

    Args:
        data: file of the training.
        label: column of the labels; None for a file in the PaySim schema.
        time: column of the times that the user names, or None.
    """
    status = data.stat()
    about: Fingerprint = {
        "path": str(data),
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }
    return about if label is None else about | {"label": label, "time": time}


def trained_on(home: Path) -> Fingerprint | None:
    """Return what the model in production was trained on.

    Returns:
        What `remember_data` has recorded; None for the simulator, or without a record.
    """
    return read_record(home / _DATA)


def read_record(path: Path) -> Fingerprint | None:
    """Return the record of a file; None where it has none."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        about = json.loads(path.read_text())
        return about if isinstance(about, dict) else None
    return None


def remember_data(home: Path, about: Fingerprint | None) -> None:
    """Record what the model in production was trained on; None is the simulator."""
    write_private(home / _DATA, json.dumps(about) + "\n")


def remember_change(home: Path) -> None:
    """Record that the demo's tenant is between two kinds of data, until `remember_data`."""
    remember_data(home, {"changing": True})
