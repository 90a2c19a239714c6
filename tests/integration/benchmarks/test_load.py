"""The benchmark's load generator counts replies and ends on an error."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load.clients import Endpoint, LoadError, LoadResult, Usage, run_load


@contextmanager
def answering(reply: Callable[[], list[bytes]]) -> Iterator[int]:
    """A server that answers each request with the given pieces, one write each; yields its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.connection.setsockopt(6, 1, True)
            while line := self.rfile.readline():
                length = 0
                while line.strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                    line = self.rfile.readline()
                self.rfile.read(length)
                for piece in reply():
                    self.wfile.write(piece)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ok(body: bytes, *, split: int | None = None) -> list[bytes]:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    return [whole[:split], whole[split:]] if split else [whole]


def drive(port: int, clients: int = 4, seconds: float = 0.1) -> LoadResult:
    endpoint = Endpoint("127.0.0.1", port, "/score", {})
    return run_load(endpoint, [b"{}"], clients, seconds, lambda: Usage(0.0, 0.0), 0.02)


@pytest.mark.parametrize("split", [None, 10, 37, 45])
def test_replies_are_counted_at_any_split_of_their_bytes(split: int | None) -> None:
    with answering(lambda: ok(b"x" * 200, split=split)) as port:
        result = drive(port)
    assert len(result.latencies_ms) > 4
    assert 0 < result.percentile_ms(50) <= result.percentile_ms(99)
    assert result.requests_per_second == pytest.approx(len(result.latencies_ms) / result.seconds)


def test_a_reply_longer_than_a_segment_is_one_reply() -> None:
    with answering(lambda: ok(b"x" * 3_000_000)) as port:
        result = drive(port, clients=1)
    assert result.clients == 1
    assert result.requests_per_second < 100_000


def test_a_reply_that_is_not_200_ends_the_load_and_is_quoted() -> None:
    refused = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nlater"
    with answering(lambda: [refused]) as port, pytest.raises(LoadError, match=r"503.*later"):
        drive(port)


def test_a_server_that_hangs_up_ends_the_load() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(LoadError, match="closed the connection"):
            drive(server.server_address[1], clients=1)
        server.shutdown()
