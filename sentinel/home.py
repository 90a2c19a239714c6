"""The directory of an installation's state, which only its owner may read or change."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

MLFLOW_DATABASE = "mlflow.db"
_DIRECTORIES = ("logs", "models", "mlartifacts", "bentoml")


def prepare_home(home: Path) -> None:
    """Create a home and the places in it, and close all to other users of the machine.

    The places are closed one by one, because the home itself cannot be where root runs: there the
    embedded Postgres is another user, which has to pass through the home to its own directory. A
    home that belongs to another user, such as a mounted volume, keeps its mode.

    Args:
        home: directory of the installation's state; may exist.

    Raises:
        OSError: a directory cannot be created.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _close(home, keep=stat.S_IXOTH if _has_other_owner(home / "postgres") else 0)
    for name in _DIRECTORIES:
        (home / name).mkdir(exist_ok=True, mode=0o700)
        _close(home / name)
    # SQLite takes an empty file for a new database, and gives its journals the file's mode.
    (home / MLFLOW_DATABASE).touch(mode=0o600)
    _close(home / MLFLOW_DATABASE)


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
