"""Identify the code of a training: the git commit of its checkout and package versions."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_CODE = Path(__file__).parent
_PACKAGES = ("lightgbm", "numpy", "scipy", "scikit-learn", "mlflow")


def git_commit() -> str | None:
    """Return the commit, with `-dirty` where tracked files differ, or None outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect a training's result."""
    return {"Python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def _git(*arguments: str) -> str | None:
    try:
        completed = subprocess.run(  # noqa: S603 - fixed words
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=_CODE, capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip()
