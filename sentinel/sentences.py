"""Sentences about the errors of Python and of the system that any command may meet."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from scoring.printable import printable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTDIR})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_PACKAGES = frozenset(
    {
        "api",
        "app",
        "benchmarks",
        "console",
        "observability",
        "persistence",
        "registry",
        "scoring",
        "sentinel",
    }
    | {"serving", "tools", "training", "web"}
)


def shown(path: Path | str) -> str:
    """Return a path, or a part of one, as text of Unicode that can be printed and stored."""
    return printable(os.fsencode(path).decode(errors="replace"))


def foreseen(error: Exception) -> str | None:
    """Return a sentence about an error of the environment with what to do, or None for another."""
    match error:
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] not in _PACKAGES:
            return (
                f"The package {name.partition('.')[0]} is needed and not installed in "
                f"{sys.prefix}; `make install` installs those that Sentinel itself needs."
            )
        case ImportError():
            return (
                f"The environment in {sys.prefix} is damaged ({error}): run `make install` in the "
                "checkout."
            )
        case MemoryError():
            return "The memory of this machine or container does not suffice for the command."
        case OSError(errno=int()):
            return _of_the_system(error)
        case RuntimeError() if "cannot cache function" in str(error):  # Numba's
            return (
                "Numba finds no directory for its compiled code: set NUMBA_CACHE_DIR to one that "
                "can be written."
            )
        case RuntimeError() if "home directory" in str(error):  # pathlib's expanduser
            return "The account has no home directory: write the path without ~."
    return None


def _of_the_system(error: OSError) -> str:
    # os.getcwd() gives no name.
    if error.errno == errno.ENOENT and error.filename is None and not _has_working_directory():
        return "The working directory has been removed: change to one that exists."
    name = error.filename
    what = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else None
    if error.errno in _FULL:
        return f"The disk is full: {what or 'the output'} cannot be written."
    if error.errno == errno.EROFS:
        return f"{what or 'A file'} is on a read-only file system; SENTINEL_HOME names another."
    if error.errno in _FORBIDDEN and what:
        return f"The account with uid {os.geteuid()} has no permission for {what}."
    if error.errno in _IN_THE_WAY and what:
        return f"{what} is a file or lies below one; a directory is needed there."
    reason = error.strerror or str(error)
    return f"{what}: {reason}." if what else f"The system refused: {reason}."


def _has_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd does the same
    except FileNotFoundError:
        return False
    return True
