"""Fixtures of every part, and how tests are shared between processes."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable

import pytest

pytest_plugins = ["tests.support.plugins.scheduling"]

FIXTURES = ("tests.support.data.training",)
FIXTURES_OF_SERVERS = (
    "tests.support.postgres.fixtures",
    "tests.support.commands.fixtures",
    "tests.support.stack",
    "tests.support.system",
    "tests.support.console.site",
    "tests.support.outside_world",
    "tests.support.data.matured_decisions",
)

WITHOUT_SERVERS = "tests/unit"
"""Beginning of the tests that use no fixture of a server."""

# Below the ports that Linux gives to outgoing connections (32768 to 60999): a port stays free from
# the moment it is chosen until a server that starts for seconds binds it.
_FIRST_PORT = 20_000
_PORTS = 1_000  # of each process of pytest-xdist


def pytest_configure(config: pytest.Config) -> None:
    """Import the fixtures where tests run that use them.

    They import MLflow and LightGBM: 4.5 s of each worker. In the process that only hands tests to
    pytest-xdist's workers nobody needs them, and no worker has started yet.
    """
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        return
    starts_servers = not all(argument.startswith(WITHOUT_SERVERS) for argument in config.args)
    for name in (*FIXTURES, *(FIXTURES_OF_SERVERS if starts_servers else ())):
        config.pluginmanager.import_plugin(name)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A factory of free ports of the loopback interface; no two calls return the same one."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + process % 12 * _PORTS
    unused = random.sample(range(first, first + _PORTS), _PORTS)

    def find() -> int:
        while True:
            port = unused.pop()
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port

    return find
