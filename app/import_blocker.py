"""Importing a package without its optional companions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

COMPANIONS = ("sklearn", "pandas", "scipy.linalg")
"""What LightGBM and Numba import where it is installed, for what serving has no use for. The first
two, for LightGBM's classes of their kind, are 0.9 s of start and 129 MB a process; the last, for
Numba's matrix products, 0.08 s. Neither has a setting for it; without them, both work as where they
are not installed, which is how the Bento serves."""


class _Hidden(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(name == package or name.startswith(f"{package}.") for package in self._packages):
            raise ModuleNotFoundError(f"{name} is left out here", name=name)
        return None


@contextmanager
def without(packages: Sequence[str]) -> Iterator[None]:
    """Make packages that are not yet imported look missing while the block imports something.

    After it they can be imported as ever, as MLflow's own client does. For the start of a process:
    it holds for every thread.
    """
    hidden = _Hidden(packages)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
