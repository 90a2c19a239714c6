"""A worker that is asked to end answers every request that reaches it, and breaks no connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.factories import a_body
from tests.support.load import score_request
from tests.support.system import ServeBeside, System

PAYER = "C-of-the-drain"


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service whose database the ending ones use."""
    return shared_system


class Client(threading.Thread):
    """Sends payments over kept connections until the service refuses a connection.

    Attributes:
        outcomes: what became of each request: its status, or the name of an error.
        prediction_ids: ids of the decisions that it was told of.
    """

    def __init__(self, send: Callable[[], httpx.Response], pause_s: float) -> None:
        super().__init__(daemon=True)
        self.outcomes: list[int | str] = []
        self.prediction_ids: list[str] = []
        self._send = send
        self._pause_s = pause_s

    def run(self) -> None:
        while True:
            time.sleep(self._pause_s)
            try:
                reply = self._send()
            except httpx.ConnectError:
                return
            except httpx.TransportError as error:
                self.outcomes.append(repr(error))
                continue
            self.outcomes.append(reply.status_code)
            if reply.status_code == 200:
                self.prediction_ids.append(reply.json()["prediction_id"])


@dataclass
class Ended:
    """What clients met when a service ended.

    Attributes:
        outcomes: outcomes of the requests of pooled clients.
        prediction_ids: decisions that they were told of.
        idle: bytes of the reply on a connection that was idle at first, until its end.
        pipelined: bytes of the replies to three requests that were sent at once.
        status: exit status of the service.
    """

    outcomes: list[int | str]
    prediction_ids: list[str]
    idle: bytes
    pipelined: bytes
    status: int


@pytest.fixture(scope="module")
def ended(system: System, serve_beside: ServeBeside) -> Ended:
    """A service that got SIGTERM while clients sent payments."""
    headers = {"Authorization": f"Bearer {system.key}"}
    request = score_request(a_body(), system.key)
    with ExitStack() as stack:
        service = stack.enter_context(serve_beside())
        clients = []
        for number in range(24):
            pool = stack.enter_context(
                httpx.Client(base_url=service.url, headers=headers, timeout=30, trust_env=False)
            )
            send = partial(pool.post, "/score", json=a_body(nameOrig=PAYER))
            clients.append(Client(send, (0.0, 0.05, 1.0)[number % 3]))
        address = urlsplit(service.url)
        idle, pipelined = (
            stack.enter_context(socket.create_connection((address.hostname, address.port), 30))
            for _ in range(2)
        )
        for client in clients:
            client.start()
        for kept in (idle, pipelined):
            kept.sendall(request)
            first = HTTPResponse(kept)
            first.begin()
            assert (first.status, first.headers["connection"]) == (200, None)
            first.read()
        time.sleep(1)
        process = psutil.Process(service.child.identity[0])
        process.terminate()
        time.sleep(0.5)
        pipelined.sendall(request * 3)
        idle.sendall(request)
        received = [all_of(kept) for kept in (idle, pipelined)]
        status = process.wait(30)
        for client in clients:
            client.join(10)
            assert not client.is_alive()
    return Ended(
        [outcome for client in clients for outcome in client.outcomes],
        [one for client in clients for one in client.prediction_ids],
        *received,
        int(status),
    )


def all_of(connection: socket.socket) -> bytes:
    """Return what arrives until the server closes the connection."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def test_no_client_meets_a_broken_connection_and_every_reply_is_stored(
    system: System, ended: Ended
) -> None:
    assert [one for one in ended.outcomes if one != 200] == []
    stored = system.rows(
        "SELECT p.id::text FROM predictions p JOIN transactions t"
        " ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id) WHERE t.name_orig = :payer",
        payer=PAYER,
    )
    assert sorted(ended.prediction_ids) == sorted(row["id"] for row in stored)
    assert ended.status == 0


def test_the_last_reply_of_an_idle_connection_says_so(ended: Ended) -> None:
    assert ended.idle.startswith(b"HTTP/1.1 200 ")
    assert ended.idle.count(b"\r\nconnection: close\r\n") == 1


def test_requests_that_were_sent_at_once_are_all_answered(ended: Ended) -> None:
    assert ended.pipelined.count(b"HTTP/1.1 200 ") == 3
    assert ended.pipelined.count(b"\r\nconnection: close\r\n") == 1
