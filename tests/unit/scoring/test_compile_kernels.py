"""The installation compiles every kernel that a payment may call."""

from __future__ import annotations

import importlib
import pkgutil

from numba.core.registry import CPUDispatcher

import scoring.windows
from scoring.compile_kernels import compile_kernels


def test_every_public_kernel_of_windows_is_compiled() -> None:
    assert compile_kernels()
    names = [
        found.name
        for found in pkgutil.walk_packages(scoring.windows.__path__, "scoring.windows.")
        if not found.ispkg
    ]
    kernels = {
        f"{name}.{attribute}": value
        for name in names
        for attribute, value in vars(importlib.import_module(name)).items()
        if isinstance(value, CPUDispatcher) and not attribute.startswith("_")
    }
    assert len(kernels) > 20
    assert [name for name, kernel in kernels.items() if not kernel.signatures] == []
