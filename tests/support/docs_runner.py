"""Runs the commands of the documentation as they are printed there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sentinel.local.postgres.os_account import Account
from tests.support.paths import PROJECT

GUIDE = PROJECT / "docs/operations.md"
README = PROJECT / "README.md"
GUIDES = sorted(PROJECT.glob("docs/operations*.md"))
BLOCK = re.compile(
    r"^<!-- block: (?P<name>[a-z-]+) -->\n```sh\n(?P<commands>.*?)^```$", re.M | re.S
)
_STRICT = ("bash", "-euo", "pipefail", "-c")


def blocks(page: Path = GUIDE) -> dict[str, str]:
    """The named blocks of commands of a page."""
    matches = [(match["name"], match["commands"]) for match in BLOCK.finditer(page.read_text())]
    assert len(dict(matches)) == len(matches), "two blocks of the page have the same name"
    return dict(matches)


class Guide:
    """Runs blocks of docs/operations*.md in a shell, with the variables that the guide names."""

    def __init__(self, binaries: Path, scratch: Path, variables: Mapping[str, str]) -> None:
        """Run with the programs of `binaries` and a `sentinel` of this checkout."""
        self.variables = dict(variables)
        self._blocks = {
            name: commands for page in GUIDES for name, commands in blocks(page).items()
        }
        commands = scratch / "bin"
        commands.mkdir()
        _program(commands / "sentinel", f'exec {sys.executable} -m sentinel "$@"')
        self._path = f"{commands}:{binaries}:/usr/bin:/bin"

    def run(
        self, *names: str, account: Account | None = None, then: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run blocks, one after the other, in one shell; every command has to succeed.

        Args:
            names: names of the blocks, in order.
            account: operating-system account of the shell; None for that of the tests.
            then: shell commands that run after the blocks.
        """
        commands = "\n".join([*(self._blocks[name] for name in names), then])
        switch = account is not None and account.switch
        done = subprocess.run(
            [*_STRICT, commands],
            cwd="/" if switch else PROJECT,
            env={
                **{name: value for name, value in os.environ.items() if name[:2] != "PG"},
                "LC_ALL": "C.UTF-8",
                "PATH": self._path,
                "PYTHONPATH": str(PROJECT),
                **self.variables,
            },
            user=account.uid if account and switch else None,
            group=account.gid if account and switch else None,
            extra_groups=[] if switch else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done


class Clone:
    """Runs blocks of any page as a newcomer: in a clone, with no programs but the system's.

    The clone's files are links to this checkout, and its `.venv` is the environment of the tests,
    so `make install` has nothing to do and is not run.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """Make the clone.

        Args:
            folder: empty folder that becomes the clone.
            variables: environment of its shells, beside HOME and PATH.
        """
        self.folder = folder
        for entry in PROJECT.iterdir():
            if entry.is_file() or not entry.name.startswith("."):
                (folder / entry.name).symlink_to(entry)
        (folder / ".venv").symlink_to(sys.prefix)
        programs = folder / "home/bin"
        programs.mkdir(parents=True)
        _program(programs / "make", '[ "$*" = install ]')
        self.environment = {
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{programs}:/usr/bin:/bin",
            # The console scripts find the checkout that the environment was installed for.
            "PYTHONPATH": str(PROJECT),
            **variables,
        }

    def command(self, page: Path, name: str) -> list[str]:
        """Return the command line of a shell that runs a block and ends at the first error."""
        return [*_STRICT, blocks(page)[name]]

    def run(self, page: Path, name: str, then: str = "") -> str:
        """Run a block; return what it printed. Every command has to succeed.

        Args:
            page: page of the block.
            name: name of the block.
            then: shell commands that run after the block.
        """
        *shell, commands = self.command(page, name)
        done = subprocess.run(
            [*shell, commands + then],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}{then}\n{done.stdout}"
        return done.stdout


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
