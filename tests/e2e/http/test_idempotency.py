"""One `external_id` has one decision, across service processes and when one is killed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import sleep

import httpx
import psutil

from tests.support.factories import a_body
from tests.support.stack import Service
from tests.support.system import ServeBeside, System


def kill(service: Service) -> None:
    """Kill the service's processes, all at once, without a word (SIGKILL)."""
    parent = psutil.Process(service.child.identity[0])
    for process in [*parent.children(recursive=True), parent]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_64_concurrent_duplicates_at_two_services_are_one_decision(
    system: System, serve_beside: ServeBeside
) -> None:
    body = a_body(external_id="both-at-once")
    start = threading.Barrier(64)

    def ask(service: Service) -> httpx.Response:
        start.wait(30)
        return service.post("/score", body, system.key)

    with serve_beside() as other, ThreadPoolExecutor(64) as threads:
        replies = list(threads.map(ask, [system.service, other] * 32))
        asked_again = [system.score(body), other.post("/score", body, system.key)]
    assert {reply.status_code for reply in replies} <= {200, 409}
    answers = [reply.json() for reply in [*replies, *asked_again] if reply.status_code == 200]
    (stored,) = system.rows(
        "SELECT p.id FROM predictions p JOIN transactions t ON t.id = p.transaction_id"
        " WHERE t.external_id = 'both-at-once'"
    )
    assert {answer["prediction_id"] for answer in answers} == {str(stored["id"])}
    for reply in asked_again:
        assert reply.status_code == 200
    for name in ("score", "decision", "margin", "base_value", "threshold", "top_features"):
        assert all(answer[name] == answers[0][name] for answer in answers)


def test_after_a_kill_under_load_a_retry_returns_the_one_decision_of_each_key(
    system: System, serve_beside: ServeBeside
) -> None:
    keys = [f"killed-{i}" for i in range(3000)]
    unasked = iter(keys)
    answered: dict[str, str] = {}
    asked: set[str] = set()
    lock = threading.Lock()

    def load(service: Service) -> None:
        with suppress(httpx.TransportError):
            while True:
                with lock:
                    key = next(unasked, None)
                    if key is None:
                        return
                    asked.add(key)
                reply = service.post("/score", a_body(external_id=key), system.key)
                if reply.status_code == 200:
                    answered[key] = reply.json()["prediction_id"]

    with serve_beside() as doomed:
        clients = [threading.Thread(target=load, args=(doomed,)) for _ in range(16)]
        for client in clients:
            client.start()
        while len(answered) < 200 and any(client.is_alive() for client in clients):
            sleep(0.01)
        kill(doomed)
        for client in clients:
            client.join(60)
    unanswered = asked - set(answered)
    assert answered
    assert unanswered, "the kill came when no request was under way"
    retried = {key: system.score(a_body(external_id=key)) for key in asked}
    assert {reply.status_code for reply in retried.values()} == {200}
    stored = system.rows(
        "SELECT t.external_id, p.id FROM predictions p JOIN transactions t"
        " ON t.id = p.transaction_id WHERE t.external_id LIKE 'killed-%'"
    )
    assert len(stored) == len(asked)
    decisions = {row["external_id"]: str(row["id"]) for row in stored}
    assert {key: reply.json()["prediction_id"] for key, reply in retried.items()} == decisions
    assert answered.items() <= decisions.items()


def test_a_batch_that_reuses_an_external_id_names_the_row_and_stores_nothing(
    system: System,
) -> None:
    assert system.score(a_body(external_id="used-before")).status_code == 200
    before = system.count("predictions")
    rows = [a_body(external_id="not-used-yet"), a_body(external_id="used-before", amount=1.0)]
    reply = system.service.post("/score/batch", {"transactions": rows}, system.key)
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == ["transactions.1.external_id"]
    assert system.count("predictions") == before
