"""500 tenants on 20 registered models: start-up time, memory, eviction, and the cost of a poll."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.tenants import create_tenant
from tests.support.factories import a_body, a_model
from tests.support.load import exchange, score_request
from tests.support.stack import KEY_SECRET, Publish, Service, publisher, serving

TENANTS = 500
REGISTERED = 20
DIFFERENT = 10
"""Half of the registered models have the files of another one."""
IN_MEMORY = 4
START_S = 45.0
"""For a process that meets all of them for the first time, on a machine that is busy otherwise."""


class Crowd:
    """A database of many tenants, and services on it."""

    def __init__(self, database: str, keys: list[tuple[str, str]], engine: Engine) -> None:
        self.database, self.keys, self.engine = database, keys, engine

    def transactions(self) -> int:
        """How many transactions the database has committed."""
        with open_database(self.database).connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            )
            return int(rows.scalar_one())

    def spent_in(self, seconds: float) -> int:
        """How many transactions the next seconds bring."""
        before = self.transactions()
        time.sleep(seconds)
        return self.transactions() - before


def name_of(number: int) -> str:
    return f"fraud-crowd-{number % REGISTERED}"


@pytest.fixture(scope="module")
def crowd(
    make_database: Callable[..., str],
    migrated_template: str,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Crowd]:
    database = make_database(template=migrated_template)
    engine = open_database(database)
    publish: Publish = publisher(mlflow_server, tmp_path_factory.mktemp("crowd"))
    for number in range(REGISTERED):
        publish(name_of(number), a_model(seed=60 + number % DIFFERENT))
    keys = []
    for number in range(TENANTS):
        tenant = create_tenant(engine, f"bank-{number}", name_of(number))
        key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
        keys.append((tenant.model_name, key))
    yield Crowd(database, keys, engine)
    engine.dispose()


def metric(service: Service, name: str) -> float:
    lines = service.client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def score_all(crowd: Crowd, service: Service) -> list[tuple[int, str, str]]:
    """Score once for every tenant; return the statuses, the models wanted and the models used."""
    requests = [score_request(a_body(), key) for _, key in crowd.keys]
    replies = exchange(service.url, requests)
    return [
        (reply.status, name, reply.json().get("model", {}).get("name", reply.text.decode()))
        for (name, _), reply in zip(crowd.keys, replies, strict=True)
    ]


def test_a_process_starts_within_its_time_and_shares_equal_models(
    crowd: Crowd, mlflow_server: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    begun = time.monotonic()
    with serving(crowd.database, mlflow_server, tmp_path, free_port()) as service:
        service.wait_until_ready()
        assert time.monotonic() - begun < START_S
        replies = score_all(crowd, service)
        assert {status for status, *_ in replies} == {200}
        assert all(asked == answered for _, asked, answered in replies)
        assert metric(service, "sentinel_models_in_memory") == DIFFERENT
        assert metric(service, "sentinel_model_evictions_total") == 0
        # Looks at five a second, while nothing moves and nobody scores: a look that asked once a
        # tenant would spend thousands in every window. Postgres may count a transaction up to
        # 10 s late (PGSTAT_IDLE_INTERVAL), so that the scores above may fall into the first ones.
        spent = [crowd.spent_in(seconds=4) for _ in range(4)]
        assert all(spent), "it looked"
        assert min(spent) < TENANTS / 2, spent


def test_at_the_memory_limit_models_are_evicted_and_no_request_fails(
    crowd: Crowd, mlflow_server: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    memory = {"SENTINEL_MODELS_IN_MEMORY": str(IN_MEMORY)}
    with serving(crowd.database, mlflow_server, tmp_path, free_port(), **memory) as service:
        service.wait_until_ready()
        for _ in range(2):
            replies = score_all(crowd, service)
            assert {status for status, *_ in replies} == {200}, replies
            assert all(asked == answered for _, asked, answered in replies)
        assert metric(service, "sentinel_models_in_memory") <= IN_MEMORY
        assert metric(service, "sentinel_model_evictions_total") >= DIFFERENT - IN_MEMORY
