"""Import a package without the optional packages that it would import too."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

UNUSED_PACKAGES = ("sklearn", "pandas", "scipy.linalg")
"""Optional packages that LightGBM and Numba import where they are installed, and serving does not
use. LightGBM imports the first two for its classes that work with them: 0.9 s of start and 129 MB a
process. Numba imports the last for matrix products: 0.08 s. Neither has a setting that prevents it.
Without them both work as in the Bento, where they are not installed."""


class _ImportBlocker(MetaPathFinder):
    """A finder that raises ModuleNotFoundError for the named packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(name == package or name.startswith(f"{package}.") for package in self._packages):
            raise ModuleNotFoundError(f"the import of {name} is blocked at start-up", name=name)
        return None


@contextmanager
def blocked_imports(packages: Sequence[str]) -> Iterator[None]:
    """Make packages that are not yet imported look missing inside the `with` block.

    After the block they can be imported again, as MLflow's own client does. Use it only while a
    process starts: it affects every thread.

    Args:
        packages: names of the packages and submodules that cannot be imported.
    """
    blocker = _ImportBlocker(packages)
    sys.meta_path.insert(0, blocker)
    try:
        yield
    finally:
        sys.meta_path.remove(blocker)
