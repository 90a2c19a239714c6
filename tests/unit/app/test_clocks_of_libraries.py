"""What the libraries measure with is replaced whole: they use no other clock of those modules."""

from __future__ import annotations

import ast
import inspect
from time import monotonic
from types import ModuleType

import pytest
from sqlalchemy.pool import base
from sqlalchemy.util import queue

import persistence.pool  # noqa: F401 - replaces SQLAlchemy's
from app.dispatcher_clock import MODULES, use_monotonic_clock


def clocks_of(module: ModuleType) -> set[str]:
    """Return the functions of `time` that a module calls as attributes."""
    return {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
    }


@pytest.mark.parametrize("module", [*MODULES, base], ids=lambda module: module.__name__)
def test_a_module_whose_clock_is_replaced_uses_the_time_and_nothing_else(
    module: ModuleType,
) -> None:
    use_monotonic_clock()
    assert clocks_of(module) == {"time"}
    assert vars(module)["time"].time is monotonic


def test_the_waits_of_a_pool_are_measured_on_the_monotonic_clock() -> None:
    assert "_time() +" in inspect.getsource(queue)
    assert vars(queue)["_time"] is monotonic
