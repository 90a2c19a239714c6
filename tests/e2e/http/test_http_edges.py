"""A reply reaches every client, and a retry changes nothing, over a real connection."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.factories import a_body
from tests.support.system import System

LARGE = b"x" * 10_000_000
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


def keys(system: System) -> dict[str, str]:
    return {"score": system.key, "review": system.review_key, "none": "", "bad": "sk_no"}


EARLY = [
    ("POST", "/score", "score", 413),
    ("POST", "/score", "none", 401),
    ("POST", "/score", "bad", 401),
    ("POST", "/score", "review", 403),
    ("GET", "/score", "score", 405),
    ("POST", "/score/batch", "score", 413),
    ("POST", "/explain", "review", 413),
    ("POST", f"/transactions/{'0' * 32}/feedback", "review", 413),
    ("POST", "/transactions/seven/feedback", "review", 422),
    ("PUT", "/policy", "review", 403),
    ("DELETE", "/policy", "none", 401),
    ("GET", "/queue", "review", 200),
    ("PATCH", "/policy", "review", 405),
    ("POST", "/livez", "none", 405),
    ("GET", "/livez", "none", 200),
    ("POST", "/nowhere", "score", 404),
]
"""Replies that do not need the body."""


def parts(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@pytest.mark.parametrize(("method", "path", "key", "status"), EARLY)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_all_before_it_reads_gets_the_reply(
    system: System, method: str, path: str, key: str, status: int, chunked: bool
) -> None:
    """Urllib asks the server to close the connection, and reads after it has sent everything."""
    request = urllib.request.Request(  # noqa: S310 - our own service
        system.service.url + path,
        data=parts(LARGE) if chunked else LARGE,
        headers={"Authorization": f"Bearer {keys(system)[key]}"},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as reply:
            result, content_type = reply.status, reply.headers["content-type"]
    except urllib.error.HTTPError as error:
        result, content_type = error.code, error.headers["content-type"]
    assert result == status
    assert status == 200 or content_type == PROBLEM


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/score", 200),
        ("POST", "/score", 401),
        ("GET", "/score", 405),
        ("GET", "/queue", 401),
        ("GET", "/queue", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/static_content/swagger-ui.css", 200),
        ("GET", "/console/sign-in", 200),
        ("GET", "/console/queue", 303),
        ("GET", "/console/nowhere", 404),
    ],
)
def test_every_reply_has_the_security_headers(
    system: System, method: str, path: str, status: int
) -> None:
    key = {401: "", 200: system.key if method == "POST" else system.review_key}.get(status, "")
    body = a_body() if method == "POST" else None
    reply = system.service.client.request(
        method, path, json=body, headers={"Authorization": f"Bearer {key}"} if key else {}
    )
    assert reply.status_code == status
    for name in ("x-content-type-options", "cache-control", "referrer-policy"):
        assert len(reply.headers.get_list(name)) == 1, name
    (policy,) = reply.headers.get_list("content-security-policy")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.replace("style-src 'self' 'unsafe-inline'", "")


def connect(system: System) -> http.client.HTTPConnection:
    address = urlsplit(system.service.url)
    return http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)


def test_a_connection_is_used_again_after_an_early_reply_to_a_small_body(system: System) -> None:
    client = connect(system)
    for key, status in [("", 401), (system.review_key, 403), (system.key, 200)] * 3:
        client.request("POST", "/score", json.dumps(a_body()), {"Authorization": f"Bearer {key}"})
        reply = client.getresponse()
        assert reply.status == status
        assert reply.headers["connection"] is None
        reply.read()
        assert client.sock is not None, "the server closed it"
    client.close()


class Wire:
    """A connection on which a test writes and reads bytes."""

    def __init__(self, system: System) -> None:
        address = urlsplit(system.service.url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=15)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, first: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"{first} HTTP/1.1", "Host: here", *lines, "", ""])
        self.socket.sendall(head.encode("latin-1") + body)

    def read_all(self) -> bytes:
        """Return what arrives until the server closes the connection."""
        received = b""
        while part := self.socket.recv(65_536):
            received += part
        return received


@pytest.mark.parametrize(
    ("length", "key", "status"), [(5_000_000, "score", 413), (500, "none", 401)]
)
def test_a_client_that_waits_for_a_100_gets_the_final_reply_at_once_and_no_100(
    system: System, length: int, key: str, status: int
) -> None:
    with Wire(system) as wire:
        wire.send(
            "POST /score",
            Authorization=f"Bearer {keys(system)[key]}",
            Content_Length=str(length),
            Expect="100-continue",
        )
        reply = wire.socket.recv(65_536)
        assert reply.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"connection: close" in reply


def test_a_client_that_waits_for_a_100_gets_it_when_its_body_is_wanted(system: System) -> None:
    body = json.dumps(a_body()).encode()
    with Wire(system) as wire:
        wire.send(
            "POST /score",
            Authorization=f"Bearer {system.key}",
            Content_Length=str(len(body)),
            Expect="100-continue",
            Connection="close",
        )
        assert wire.socket.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.socket.sendall(body)
        assert wire.read_all().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET /queue?cursor=" + "x" * 60_000, 401),
        ("GET /" + "x" * 60_000, 404),
        ("OPTIONS *", 404),
        ("OPTIONS /score", 405),
        ("OPTIONS /policy", 405),
        ("TRACE /queue", 405),
        ("GET /queue/", 404),
        ("POST /score/", 404),
        ("GET //queue", 404),
        ("GET /livez?" + "a=1&" * 1000, 200),
        ("HEAD /livez", 200),
        ("HEAD /docs", 200),
        ("HEAD /queue", 401),
        ("HEAD /score", 405),
    ],
)
def test_an_unusual_request_gets_an_ordinary_reply(system: System, first: str, status: int) -> None:
    with Wire(system) as wire:
        wire.send(first, Connection="close", X_Long="y" * 60_000)
        head, _, body = wire.read_all().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    if status >= 400:
        assert f"content-type: {PROBLEM}".encode() in head
    assert first.startswith("HEAD") is (body == b"")


def test_what_the_parser_refuses_is_400_and_harms_nothing(system: System) -> None:
    for first in ("GET /" + "x" * 100_000, "NONSENSE /queue", "GET"):
        with Wire(system) as wire:
            wire.send(first, Connection="close")
            assert wire.read_all().startswith(b"HTTP/1.1 400 "), first
    assert system.service.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/score", "/score/batch"])
def test_a_405_of_every_part_of_the_application_names_the_methods(
    system: System, path: str
) -> None:
    reply = system.service.client.patch(path)
    assert reply.status_code == 405
    expected = {"POST"} if path.startswith("/score") else {"GET", "HEAD"}
    assert set(reply.headers["allow"].split(", ")) == expected
    assert all(name in reply.json()["detail"] for name in expected)


def post(system: System, path: str, body: Any, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return system.service.post(path, body, system.key, headers=named)


@pytest.mark.parametrize("path", ["/score", "/score/batch", "/explain"])
def test_a_compressed_body_is_415_and_says_what_is_taken(system: System, path: str) -> None:
    reply = system.service.client.post(
        path,
        content=gzip.compress(json.dumps(a_body()).encode()),
        headers={"Authorization": f"Bearer {system.key}", "Content-Encoding": "gzip"},
    )
    assert (reply.status_code, reply.headers["content-type"]) == (415, PROBLEM)
    assert reply.headers["accept-encoding"] == "identity"


def without_latency(reply: httpx.Response) -> Any:
    return [
        {name: value for name, value in result.items() if name != "latency_ms"}
        for result in reply.json().get("results", [reply.json()])
    ]


@pytest.mark.parametrize("own_ids", [False, True])
def test_a_repeated_batch_is_stored_once_and_its_reply_is_marked(
    system: System, own_ids: bool
) -> None:
    key = f"edges-{own_ids}"
    rows = [
        a_body(step=i, **({"external_id": f"{key}-{i}"} if own_ids else {})) for i in range(300)
    ]
    before = system.count("predictions")
    first = post(system, "/score/batch", {"transactions": rows}, Idempotency_Key=key)
    assert first.status_code == 200, first.text
    assert "idempotent-replayed" not in first.headers
    again = post(system, "/score/batch", {"transactions": rows}, Idempotency_Key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert without_latency(again) == without_latency(first)
    for other in (rows[:-1], rows[::-1], [*rows[:-1], rows[-1] | {"amount": 1.0}]):
        refused = post(system, "/score/batch", {"transactions": other}, Idempotency_Key=key)
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:sentinel:problem:idempotency-mismatch"
    assert system.count("predictions") == before + 300


def test_a_batch_whose_rows_were_all_decided_before_is_marked_too(system: System) -> None:
    rows = [a_body(external_id=f"marked-{i}") for i in range(3)]
    assert "idempotent-replayed" not in post(system, "/score", rows[0]).headers
    mixed = post(system, "/score/batch", {"transactions": rows})
    assert "idempotent-replayed" not in mixed.headers
    again = post(system, "/score/batch", {"transactions": rows})
    assert again.headers["idempotent-replayed"] == "true"
    assert post(system, "/score", rows[0]).headers["idempotent-replayed"] == "true"


def test_on_a_score_the_header_and_the_external_id_must_agree(system: System) -> None:
    before = system.count("predictions")
    body = a_body(external_id="agreed")
    refused = post(system, "/score", body, Idempotency_Key="another")
    assert refused.status_code == 422
    assert [e["field"] for e in refused.json()["errors"]] == ["Idempotency-Key", "external_id"]
    assert system.count("predictions") == before
    first = post(system, "/score", body, Idempotency_Key="agreed")
    assert first.status_code == 200
    again = post(system, "/score", a_body(), Idempotency_Key="agreed")
    assert again.headers["idempotent-replayed"] == "true"
    assert without_latency(again) == without_latency(first)


@pytest.mark.parametrize("path", ["/score", "/score/batch"])
def test_a_header_that_is_sent_twice_is_refused(system: System, path: str) -> None:
    body = a_body() if path == "/score" else {"transactions": [a_body()]}
    before = system.count("predictions")
    for name, values, status in [
        ("Idempotency-Key", ("a", "b"), 422),
        ("Idempotency-Key", ("a", "a"), 422),
        ("Authorization", (f"Bearer {system.key}", "Bearer sk_no"), 401),
    ]:
        headers = [("Authorization", f"Bearer {system.key}")] if status == 422 else []
        reply = system.service.client.post(
            path, json=body, headers=[*headers, *((name, value) for value in values)]
        )
        assert reply.status_code == status
    assert system.count("predictions") == before
