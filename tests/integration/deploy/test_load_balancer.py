"""The test's load balancer sends requests to ready pods only and hides no failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.support.deploy.load_balancer import Balancer

PROBE = {
    "httpGet": {"path": "/readyz"},
    "periodSeconds": 0.05,
    "timeoutSeconds": 1,
    "failureThreshold": 2,
}


class Pod(ThreadingHTTPServer):
    """Answers its port; may be not ready, or hang up instead of answering."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ready = True
        self.hangs_up = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Pod

    def do_GET(self) -> None:
        self._reply(200 if self.server.ready else 503)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.server.hangs_up:
            self.close_connection = True
        else:
            self._reply(200)

    def _reply(self, status: int) -> None:
        body = str(self.server.server_address[1]).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def start() -> Iterator[Callable[[], Pod]]:
    """A factory of pods."""
    running: list[Pod] = []

    def make() -> Pod:
        pod = Pod()
        threading.Thread(target=pod.serve_forever, args=(0.05,), daemon=True).start()
        running.append(pod)
        return pod

    yield make
    for pod in running:
        pod.shutdown()
        pod.server_close()


def port_of(pod: Pod) -> int:
    return int(pod.server_address[1])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def add(balancer: Balancer, pod: Pod) -> None:
    balancer.add(port_of(pod))
    until(lambda: balancer.ready(port_of(pod)))


def post(balancer: Balancer) -> httpx.Response:
    with httpx.Client(trust_env=False) as http:
        return http.post(balancer.url, content=b"body")


def test_ready_pods_take_turns_and_one_that_was_removed_gets_no_more(
    start: Callable[[], Pod],
) -> None:
    one, other = start(), start()
    with Balancer(PROBE) as balancer:
        add(balancer, one)
        add(balancer, other)
        assert {post(balancer).text for _ in range(4)} == {str(port_of(one)), str(port_of(other))}
        balancer.remove(port_of(one))
        assert {post(balancer).text for _ in range(4)} == {str(port_of(other))}
        assert balancer.fewest == 1


def test_a_pod_that_is_not_ready_gets_no_requests_until_it_is_again(
    start: Callable[[], Pod],
) -> None:
    pod = start()
    with Balancer(PROBE) as balancer:
        add(balancer, pod)
        pod.ready = False
        until(lambda: not balancer.ready(port_of(pod)))
        assert post(balancer).status_code == 502
        pod.ready = True
        until(lambda: balancer.ready(port_of(pod)))
        assert post(balancer).status_code == 200


def test_a_request_without_an_answer_is_a_failure_and_is_not_sent_again(
    start: Callable[[], Pod],
) -> None:
    broken, sound = start(), start()
    with Balancer(PROBE) as balancer:
        add(balancer, broken)
        add(balancer, sound)
        broken.hangs_up = True
        assert sorted(post(balancer).status_code for _ in range(2)) == [200, 502]
        assert len(balancer.failed) == 1
        assert str(port_of(broken)) in balancer.failed[0]
