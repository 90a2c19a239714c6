"""The directory of an installation's state, which only its owner may read or change."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

MLFLOW_DATABASE = "mlflow.db"
_PLACES = ("logs", "models", "mlartifacts", "bentoml", MLFLOW_DATABASE)
"""Places that an earlier release left open to other users."""


def prepare_home(home: Path) -> None:
    """Create a home, and close it and the places in it to other users of the machine.

    The places are closed one by one, because the home itself cannot be where root runs: there the
    embedded Postgres is another user, which has to pass through the home to its own directory. A
    home that belongs to another user, such as a mounted volume, keeps its mode.

    Args:
        home: directory of the installation's state; may exist.

    Raises:
        OSError: the directory cannot be created.
    """
    private_directory(home)
    _close(home, keep=stat.S_IXOTH if _has_other_owner(home / "postgres") else 0)
    for place in (home / name for name in _PLACES):
        if place.exists():
            _close(place)


def private_directory(path: Path) -> None:
    """Create a directory that only its owner may enter; an existing one keeps its mode."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def private_database(path: Path) -> None:
    """Create a SQLite database that only its owner may read; an existing one is kept.

    SQLite takes an empty file for a new database, and gives its journals the file's mode.
    """
    path.touch(mode=0o600)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in place of an existing one, at once and whole."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    unfinished.unlink(missing_ok=True)
    with open(unfinished, "xb", opener=private) as file:
        file.write(os.fsencode(text))  # a path is bytes to the shell
    unfinished.replace(path)


def private(path: str, flags: int) -> int:
    """Open a file that only its owner may read, if it is new; the `opener` of `open`."""
    return os.open(path, flags, 0o600)


def _close(path: Path, keep: int = 0) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    closed = mode & (stat.S_IRWXU | keep)
    if mode != closed:
        with suppress(PermissionError):
            path.chmod(closed)


def _has_other_owner(path: Path) -> bool:
    return path.exists() and path.stat().st_uid != path.parent.stat().st_uid
