"""Fixtures of every part, and how tests are shared between processes."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

pytest_plugins = [
    "tests.support.scheduling",
    "tests.support.postgres",
    "tests.support.stack",
    "tests.support.system",
    "tests.support.training_data",
    "tests.support.matured_decisions",
]


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A factory of free ports of the loopback interface."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
