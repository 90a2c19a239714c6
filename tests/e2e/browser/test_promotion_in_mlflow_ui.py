"""A data scientist promotes and rolls back in MLflow's own UI, while payments are scored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
from mlflow import MlflowClient
from sqlalchemy import Engine

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from registry.names import PRODUCTION
from tests.support.chromium import browsing
from tests.support.factories import a_body, a_model
from tests.support.fixture_types import Rows
from tests.support.mlflow_ui import move_alias
from tests.support.stack import KEY_SECRET, Publish, serving

MODEL = "fraud-clicked"
CLIENTS = 16
FOLLOWS_WITHIN_SECONDS = 5.0
OWN_OF_EACH_REPLY = ("transaction_id", "prediction_id", "latency_ms")


@dataclass(frozen=True)
class Answer:
    """What one request came back with; `told` lacks what is its own of each reply."""

    begun: float
    status: int
    told: dict[str, Any]

    @property
    def version(self) -> int:
        return int(self.told["model"]["version"])


@dataclass
class Traffic:
    """The same payment, scored over and over by many clients."""

    url: str
    key: str
    answers: list[Answer] = field(default_factory=list)
    stopping: Event = field(default_factory=Event)

    def score_until_stopped(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False) as http:
            while not self.stopping.is_set():
                begun = time.monotonic()
                reply = http.post("/score", json=a_body())
                told = reply.json()
                for name in OWN_OF_EACH_REPLY:
                    told.pop(name, None)
                self.answers.append(Answer(begun, reply.status_code, told))

    def begun_between(self, start: float, end: float) -> list[Answer]:
        return [answer for answer in list(self.answers) if start <= answer.begun < end]


@contextmanager
def scoring(url: str, key: str) -> Iterator[Traffic]:
    """Score with 16 clients while the block runs; an error of any of them is raised at its end."""
    traffic = Traffic(url, key)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(traffic.score_until_stopped) for _ in range(CLIENTS)]
        try:
            yield traffic
        finally:
            traffic.stopping.set()
    for client in clients:
        client.result()


def versions_after(traffic: Traffic, moved: float) -> set[int]:
    """The versions that decided what was asked in the second after the time to follow."""
    start = moved + FOLLOWS_WITHIN_SECONDS
    time.sleep(max(0.0, start + 1 - time.monotonic()))
    return {answer.version for answer in traffic.begun_between(start, start + 1)}


def test_promoting_and_rolling_back_by_clicking_in_mlflow_loses_no_request(
    database: str,
    engine: Engine,
    mlflow_server: str,
    publish: Publish,
    rows: Rows,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    tenant = create_tenant(engine, "demo", MODEL)
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    # Different boosters and thresholds: a reply made of parts of both would be seen.
    first = publish(MODEL, a_model(seed=1, threshold=0.05))
    second = publish(MODEL, a_model(seed=2, threshold=0.25), alias=None)
    client = MlflowClient(mlflow_server)

    def in_production() -> int:
        return int(client.get_model_version_by_alias(MODEL, PRODUCTION).version)

    with (
        browsing(tmp_path) as page,
        serving(
            database, mlflow_server, tmp_path, free_port(), SENTINEL_ALIAS_POLL_SECONDS="1"
        ) as service,
    ):
        service.wait_until_ready()
        with scoring(service.url, key) as traffic:
            for version in (second, first):
                move_alias(page, mlflow_server, MODEL, version, PRODUCTION)
                moved = time.monotonic()
                assert in_production() == version
                assert versions_after(traffic, moved) == {version}

    answers = traffic.answers
    assert [answer for answer in answers if answer.status != 200] == []
    told_by_version: dict[int, set[str]] = {}
    for answer in answers:
        told_by_version.setdefault(answer.version, set()).add(json.dumps(answer.told))
    assert set(told_by_version) == {first, second}
    assert all(len(told) == 1 for told in told_by_version.values()), "a reply mixes versions"
    stored = rows("SELECT model_version, count(*) FROM predictions GROUP BY model_version")
    answered = [answer.version for answer in answers]
    assert {row["model_version"]: row["count"] for row in stored} == {
        version: answered.count(version) for version in (first, second)
    }
