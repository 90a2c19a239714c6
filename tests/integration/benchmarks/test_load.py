"""The benchmark's load generator counts replies and ends on an error."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load.clients import Endpoint, LoadError, LoadResult, Usage, run_load
from benchmarks.load.open_loop import due_times, run_open_load


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


def drive_open(port: int, rate: float, seconds: float, connections: int = 8) -> LoadResult:
    endpoint = Endpoint("127.0.0.1", port, "/score", {})
    return run_open_load(
        endpoint, [b"{}"], rate, seconds, lambda: Usage(0.0, 0.0), 0.05, connections
    )


def test_the_open_loop_sends_what_is_due_however_many_connections_there_are() -> None:
    with answering(lambda: ok(b"x")) as port:
        result = drive_open(port, 200.0, 0.5)
    assert len(result.latencies_ms) == sum(at_s >= 0.05 for at_s in due_times(200.0, 0.55))


def test_a_stall_is_in_the_latency_of_every_request_that_was_due_meanwhile() -> None:
    """A closed loop with one client would see one slow reply among hundreds."""
    stalls = iter([0.0] * 20 + [0.3])

    def reply() -> list[bytes]:
        time.sleep(next(stalls, 0.0))
        return ok(b"x")

    with answering(reply) as port:
        result = drive_open(port, 200.0, 0.6, connections=1)
    slow = [latency for latency in result.latencies_ms if latency > 100]
    assert len(slow) > 20
    assert max(slow) > 290


def test_a_refusal_ends_the_open_loop_and_is_quoted() -> None:
    refused = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nlater"
    with answering(lambda: [refused]) as port, pytest.raises(LoadError, match=r"503.*later"):
        drive_open(port, 100.0, 0.2)
