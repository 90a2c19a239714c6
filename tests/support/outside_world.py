"""Records every attempt of a process to reach a machine other than this one."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

# MLflow reports nothing where one of these is set, so a test would find nothing.
_SIGNS_OF_A_TEST = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL")
_OPT_OUTS = ("BENTOML_DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")


class OutsideWorld(socketserver.ThreadingTCPServer):
    """A proxy that connects to nothing and keeps the first line of each request.

    Attributes:
        requests: lines such as `CONNECT t.bentoml.com:443 HTTP/1.1`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[str] = []

    def environment(self, inherited: dict[str, str]) -> dict[str, str]:
        """Return the environment of a user who has opted out of nothing, behind this proxy."""
        hidden = {*_SIGNS_OF_A_TEST, *_OPT_OUTS}
        kept = {name: value for name, value in inherited.items() if name not in hidden}
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            kept |= {name: proxy, name.lower(): proxy}
        return kept | dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")


class _Handler(socketserver.StreamRequestHandler):
    server: OutsideWorld

    def handle(self) -> None:
        self.server.requests.append(self.rfile.readline(1000).decode("latin-1").strip())
        self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def recording() -> Iterator[OutsideWorld]:
    """Record until the block ends."""
    with OutsideWorld() as world:
        threading.Thread(target=world.serve_forever, daemon=True).start()
        yield world
        world.shutdown()


@pytest.fixture
def outside_world() -> Iterator[OutsideWorld]:
    """A recorder of what processes send to the outside."""
    with recording() as world:
        yield world
