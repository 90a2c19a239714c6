"""Run Postgres as another user when this process is root, because Postgres refuses to run as root.

For root its programs run as a system user, whose only extra right is to traverse the directories
above its files.
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_log = logging.getLogger(__name__)

_SYSTEM_USER = "sentinel-postgres"


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a program runs as; `switch` is true when that is not the current user."""

    name: str
    uid: int
    gid: int
    switch: bool

    def give(self, path: Path) -> None:
        """Make the user the owner of a file or directory."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as the user, see `spawn`."""
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            process = self._popen(command, stdout, stderr)
            process.wait()
            stdout.seek(0)
            stderr.seek(0)
            return subprocess.CompletedProcess(
                command, process.returncode, stdout.read(), stderr.read()
            )

    def spawn(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program as the user, in a session of its own (Ctrl-C does not end it).

        The caller's PG* variables (another port, another host) are not passed on.

        Args:
            command: command line.
            log: file that its output is appended to, readable by the user only.
        """
        with log.open("ab") as output:
            log.chmod(0o600)
            self.give(log)
            return self._popen(command, output, output)

    def _popen(
        self, command: Sequence[str], stdout: IO[Any], stderr: IO[Any]
    ) -> subprocess.Popen[bytes]:
        # Files, because a server that a program starts would keep a pipe open.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PG")
        }
        return subprocess.Popen(  # noqa: S603 - the programs of one installed package
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd="/",
            env=environment | {"LC_ALL": "C"},
            start_new_session=True,
            umask=0o077,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )


def postgres_account(directory: Path) -> Account:
    """Return the user that owns `directory` or will own it.

    That is the current user; for root it is the directory's owner or a system user.
    """
    uid = os.geteuid()
    if uid:
        entry = _entry(uid)
        return Account(entry.pw_name if entry else str(uid), uid, os.getegid(), switch=False)
    owner = directory.stat().st_uid if directory.exists() else 0
    user = (_entry(owner) if owner else None) or _system_user()
    return Account(user.pw_name, user.pw_uid, user.pw_gid, switch=True)


def open_path(path: Path, account: Account, *, contents: bool = False) -> None:
    """Let an account reach `path`: add o+x to the directories above it that lack it.

    Args:
        path: path that the account needs.
        account: account that runs the program.
        contents: whether `path` and its contents are also made readable where they are not, as in
            a package that root installed with a umask of 077.
    """
    if not account.switch:
        return
    for directory in path.parents:
        status = directory.stat()
        if status.st_uid != account.uid and not status.st_mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
            _log.warning(
                "Postgres refuses to run as root and runs as %s: gave %s o+x, so that it can reach "
                "its files below.",
                account.name,
                directory,
            )
    if contents and not path.stat().st_mode & stat.S_IROTH:
        for item in (path, *path.rglob("*")):
            mode = stat.S_IMODE(item.stat().st_mode)
            item.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _system_user() -> pwd.struct_passwd:
    """Return a system user only for Postgres, or `nobody` where users cannot be added."""
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        pass
    if useradd := shutil.which("useradd"):
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        result = subprocess.run(  # noqa: S603 - a fixed command
            [*command, _SYSTEM_USER], capture_output=True, check=False
        )
        if result.returncode == 0:
            _log.warning("Postgres refuses to run as root: added the system user %s.", _SYSTEM_USER)
            return pwd.getpwnam(_SYSTEM_USER)
    _log.warning(
        "Postgres refuses to run as root, and no user can be added here: it runs as nobody, so "
        "other programs of nobody can read its files."
    )
    return pwd.getpwnam("nobody")
