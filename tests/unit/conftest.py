"""Unit tests open no socket and start no server: where one does, it fails."""

from __future__ import annotations

import sys
from pathlib import Path

_NETWORK = {"socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"}
_SERVERS = {
    *("postgres", "initdb", "pg_ctl", "prometheus", "promtool", "mlflow", "bentoml", "gunicorn"),
    *("chromium", "chrome"),
}


def _refuse_servers(event: str, arguments: tuple[object, ...]) -> None:
    """Raise at what needs a server; an audit hook stays until the process ends."""
    if event in _NETWORK and not _is_unix(arguments):
        raise AssertionError(f"a unit test called {event}; such a test belongs to integration")
    if event == "subprocess.Popen":
        program = Path(str(arguments[0])).name
        words = arguments[1] if isinstance(arguments[1], list | tuple) else []
        if found := _SERVERS.intersection([program, *(Path(str(word)).name for word in words[:3])]):
            raise AssertionError(f"a unit test started {found}; such a test belongs to integration")


def _is_unix(arguments: tuple[object, ...]) -> bool:
    """Whether an address is a path: asyncio and multiprocessing use such sockets in a process."""
    return len(arguments) == 2 and isinstance(arguments[1], str | bytes)


sys.addaudithook(_refuse_servers)
