"""A single request is decided on the event loop without blocking it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from tests.support.factories import a_body
from tests.support.load import score_request
from tests.support.system import System

STORED = "SELECT external_id FROM transactions WHERE external_id IS NOT NULL"


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


@contextmanager
def postgres_waiting(system: System) -> Iterator[None]:
    """Keep every decision waiting in Postgres while the block runs."""
    with system.engine.begin() as connection:
        connection.execute(text("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE"))
        yield


def stored(system: System) -> set[str]:
    return {row["external_id"] for row in system.rows(STORED)}


def from_elsewhere(system: System, body: dict[str, Any]) -> httpx.Response:
    """POST /score on a connection of its own."""
    key = {"Authorization": f"Bearer {system.key}"}
    return httpx.post(f"{system.service.url}/score", json=body, headers=key, timeout=30)


def until_postgres_has(system: System, count: int) -> None:
    """Wait until so many decisions wait in Postgres."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    system.service.child.wait_until(lambda: system.rows(waiting)[0]["count"] >= count, 5)


def test_while_one_decision_waits_for_postgres_other_requests_are_answered(system: System) -> None:
    assert system.score(a_body()).status_code == 200  # from now on there is a connection
    with ThreadPoolExecutor() as callers:
        with postgres_waiting(system):
            first = callers.submit(system.score, a_body(external_id="first"))
            until_postgres_has(system, 1)
            next_ones = [
                callers.submit(from_elsewhere, system, a_body(external_id=f"next-{i}"))
                for i in range(3)
            ]
            begun = time.monotonic()
            for _ in range(20):
                assert system.service.client.get("/livez").status_code == 200
            assert time.monotonic() - begun < 2
            assert not first.done()
        replies = [first.result(), *(caller.result() for caller in next_ones)]
    assert [reply.status_code for reply in replies] == [200] * 4
    assert {"first", "next-0", "next-1", "next-2"} <= stored(system)


def test_a_disconnected_caller_leaves_a_whole_decision_and_a_serving_process(
    system: System,
) -> None:
    assert system.score(a_body()).status_code == 200
    place = urlsplit(system.service.url)
    with postgres_waiting(system):
        with socket.create_connection((place.hostname, place.port)) as caller:
            caller.sendall(score_request(a_body(external_id="hung-up"), system.key))
            until_postgres_has(system, 1)
        time.sleep(0.1)
    again = system.score(a_body(external_id="hung-up"))
    assert again.status_code == 200
    (row,) = system.rows(
        "SELECT p.id FROM predictions p JOIN transactions t ON t.id = p.transaction_id"
        " WHERE t.external_id = 'hung-up'"
    )
    assert str(row["id"]) == again.json()["prediction_id"]


def test_concurrent_and_single_requests_have_a_decision_each(system: System) -> None:
    with ThreadPoolExecutor(8) as callers:
        many = list(callers.map(from_elsewhere, [system] * 40, [a_body()] * 40))
    few = [system.score(a_body()) for _ in range(5)]
    assert {reply.status_code for reply in [*many, *few]} == {200}
    assert len({reply.json()["prediction_id"] for reply in [*many, *few]}) == 45
