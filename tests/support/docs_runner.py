"""Runs the commands of docs/operations*.md as they are printed there."""

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
GUIDES = sorted(PROJECT.glob("docs/operations*.md"))
BLOCK = re.compile(
    r"^<!-- block: (?P<name>[a-z-]+) -->\n```sh\n(?P<commands>.*?)^```$", re.M | re.S
)


def blocks() -> dict[str, str]:
    """The named blocks of commands of the guides."""
    text = "\n".join(guide.read_text() for guide in GUIDES)
    found = [(match["name"], match["commands"]) for match in BLOCK.finditer(text)]
    assert len(dict(found)) == len(found), "two blocks of the guides have the same name"
    return dict(found)


class Guide:
    """Runs blocks of docs/operations*.md in a shell, with the variables that the guide names."""

    def __init__(self, binaries: Path, scratch: Path, variables: Mapping[str, str]) -> None:
        """Run with the programs of `binaries` and a `sentinel` of this checkout."""
        self.variables = dict(variables)
        self._blocks = blocks()
        commands = scratch / "bin"
        commands.mkdir()
        sentinel = commands / "sentinel"
        sentinel.write_text(f'#!/bin/sh\nexec {sys.executable} -m sentinel "$@"\n')
        sentinel.chmod(0o755)
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
            ["bash", "-euo", "pipefail", "-c", commands],
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
