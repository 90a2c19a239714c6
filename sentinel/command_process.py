"""Prepare a command's process for the terminal, the locale and the account that it runs under."""

from __future__ import annotations

import contextlib
import io
import os
import pwd
import sys


def prepare_streams() -> None:
    """Make stdout and stderr take any text, and open what the caller has closed.

    A locale other than UTF-8 lacks characters such as `±`: they are shown as escapes. A closed
    descriptor (`>&-`) is opened on /dev/null, because the next file or socket would get its number
    and the output of a library with it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_unwritable_output() -> None:
    """Send stdout to /dev/null if it cannot be written, which Python would report at its exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            target = os.open(os.devnull, os.O_WRONLY)
            os.dup2(target, sys.stdout.fileno())
            os.close(target)


def complete_account() -> None:
    """Set LOGNAME and HOME for an account without an entry in the user database.

    OpenShift runs containers under such numbers; `getpass.getuser` and `Path.home`, which MLflow
    and matplotlib call too, raise for them.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"uid-{os.geteuid()}")
        os.environ.setdefault("HOME", os.sep)
