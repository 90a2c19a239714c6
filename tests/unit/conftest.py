"""Unit tests open no socket and start no server: where one does, it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_NETWORK = {"socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"}
_SERVERS = {
    *("postgres", "initdb", "pg_ctl", "prometheus", "promtool", "mlflow", "bentoml", "gunicorn"),
    *("chromium", "chrome", "sentinel.local.mlflow_program"),
}


_in_unit_test = False


@pytest.fixture(autouse=True)
def no_server() -> Iterator[None]:
    """Watch what the test does; a run of this and other tests stays possible."""
    global _in_unit_test
    _in_unit_test = True
    yield
    _in_unit_test = False


def _refuse_servers(event: str, arguments: tuple[object, ...]) -> None:
    """Raise at what needs a server; an audit hook stays until the process ends."""
    if not _in_unit_test:
        return
    if event in _NETWORK and not _is_unix(arguments):
        raise AssertionError(f"a unit test called {event}; such a test belongs to integration")
    if event == "subprocess.Popen":
        program = Path(str(arguments[0])).name
        words = arguments[1] if isinstance(arguments[1], list | tuple) else []
        if servers := _SERVERS.intersection(
            [program, *(Path(str(word)).name for word in words[:3])]
        ):
            raise AssertionError(
                f"a unit test started {servers}; such a test belongs to integration"
            )


def _is_unix(arguments: tuple[object, ...]) -> bool:
    """Whether an address is a path: asyncio and multiprocessing use such sockets in a process."""
    return len(arguments) == 2 and isinstance(arguments[1], str | bytes)


sys.addaudithook(_refuse_servers)
