"""Importing a package without its optional companions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LIGHTGBM_COMPANIONS = ("sklearn", "pandas")
"""What LightGBM imports where it is installed, for classes that serving has no use for: 0.9 s of
start and 129 MB a process. It has no setting for it; without them, it works as where they are not
installed, which is how the Bento serves."""


class _Hidden(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in self._packages:
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
