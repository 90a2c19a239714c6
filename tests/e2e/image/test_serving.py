"""A container scores, explains, follows a promotion, and stops without losing a decision."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from mlflow import MlflowClient

from tests.support.deploy.containers import Container, Store
from tests.support.factories import a_body, a_model
from tests.support.load import Load, Reply
from tests.support.postgres.proxy import Proxy
from tests.support.sentinel.other_user import commands, family, listening
from tests.support.stack import KEY_SECRET, Publish, mlflow_login, publisher

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

MODEL = "fraud-demo"
GRACE_S = 30


@dataclass
class System:
    """A running container with its Postgres and MLflow."""

    container: Container
    url: str
    key: str
    database: str
    environment: dict[str, str]
    publish: Publish
    registry: MlflowClient
    ready_after_s: float

    def post(self, path: str, json: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.post(self.url + path, json=json, headers=headers, timeout=30, trust_env=False)

    def is_ready(self) -> bool:
        try:
            return httpx.get(self.url + "/readyz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> float:
        return self.container.wait_until(self.is_ready, 60)

    def stored(self) -> set[str]:
        """The predictions of all requests that had an external_id."""
        with psycopg.connect(self.database) as connection:
            rows = connection.execute(
                "SELECT p.id FROM transactions t"
                " JOIN predictions p ON p.transaction_id = t.id WHERE t.external_id IS NOT NULL"
            )
            return {str(row[0]) for row in rows}


@pytest.fixture(scope="module")
def system(
    store: Store,
    image: str,
    make_database: Callable[..., str],
    mlflow_server: str,
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    """Everything set up by commands of the image: the schema, a tenant and its key."""
    publish = publisher(mlflow_server, tmp_path_factory.mktemp("models"))
    publish(MODEL)
    database = make_database()
    port = free_port()
    # The embedded Postgres listens on a socket of its owner's alone.
    with Proxy(database) as proxy:
        environment = {
            "DATABASE_URL": proxy.url,
            "MLFLOW_TRACKING_URI": mlflow_server,
            **mlflow_login(),
            "SENTINEL_KEY_SECRET": KEY_SECRET.decode(),
        }
        options = (
            "--network=host",
            *(f"--env={name}={value}" for name, value in environment.items()),
        )

        def sentinel(*arguments: str) -> str:
            done = store.run(image, "sentinel", *arguments, options=options)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        assert "revision" in sentinel("db", "upgrade")
        sentinel("tenants", "create", "demo")
        key = sentinel("keys", "issue", "--tenant", "demo", "--scopes", "score,review")
        name = "sentinel-under-test"
        container = store.start(image, name, (*options, f"--env=BENTOML_PORT={port}"))
        system = System(
            container,
            f"http://127.0.0.1:{port}",
            key,
            database,
            environment,
            publish,
            MlflowClient(mlflow_server, registry_uri=mlflow_server),
            ready_after_s=0,
        )
        system.ready_after_s = system.wait_until_ready()
        yield system
        store.podman("rm", "--force", "--volumes", "--time=0", name)


def test_the_container_is_ready_within_30_seconds_and_healthy(system: System) -> None:
    print(f"ready after {system.ready_after_s:.1f} s")
    assert system.ready_after_s < 30
    assert system.container.check_health() == "healthy"


def test_the_container_scores_explains_and_stores(system: System) -> None:
    scored = system.post("/score", a_body(external_id="first"))
    assert scored.status_code == 200, scored.text
    decided = scored.json()
    assert decided["model"] == {"name": MODEL, "version": 1}
    explained = system.post("/explain", {"prediction_id": decided["prediction_id"]}).json()
    contributions = [feature["contribution"] for feature in explained["features"]]
    assert explained["base_value"] + sum(contributions) == pytest.approx(
        decided["margin"], abs=1e-9
    )
    assert decided["prediction_id"] in system.stored()


def test_the_container_writes_only_to_its_volume_as_its_user(system: System) -> None:
    in_it = system.container.run("sh", "-c", "cd && find . -maxdepth 1 | sort").split()
    assert in_it == [".", "./bentoml", "./journal", "./kernel", "./models", "./tmp"]
    assert system.container.run("id", "-u") == "10001"


def test_a_promotion_is_followed_while_clients_score(system: System) -> None:
    def versions(replies: list[Reply]) -> list[int]:
        return [reply.json()["model"]["version"] for reply in replies]

    with Load(system.key, [system.url], keep_alive=False) as load:
        load.wait_for(100)
        second = system.publish(MODEL, a_model(seed=1))
        system.container.wait_until(lambda: versions(load.succeeded[-1:]) == [second], 10)
        load.wait_for(100)
    assert {reply.status for reply in load.replies} == {200}
    assert set(versions(load.replies)) == {1, second}


def test_a_worker_that_dies_is_replaced(system: System) -> None:
    (worker,) = workers_of(system)
    worker.kill()
    worker.wait(10)
    system.wait_until_ready()
    assert system.post("/score", a_body()).status_code == 200
    assert [
        zombie for zombie in workers_of(system) if zombie.status() == psutil.STATUS_ZOMBIE
    ] == []


def test_the_container_listens_on_the_services_port_only(system: System) -> None:
    system.wait_until_ready()
    port = int(system.url.rsplit(":", 1)[1])
    assert listening(family(system.container.state["Pid"])) == (
        {("0.0.0.0", port)},  # noqa: S104 - the container's
        set(),
    )
    assert commands(f"tcp://127.0.0.1:{port}") == "no reply"


def test_a_stopped_container_has_stored_every_accepted_request(system: System) -> None:
    before = system.stored()
    numbers = itertools.count(1)

    def body() -> dict[str, Any]:
        return a_body(external_id=f"while-it-stops-{next(numbers)}")

    with Load(system.key, [system.url], body=body, keep_alive=False) as load:
        load.wait_for(200)
        began = time.monotonic()
        status = system.container.stop(GRACE_S)
        took_s = time.monotonic() - began
    print(f"stopped after {took_s:.1f} s with status {status}")
    assert status == 0
    assert took_s < GRACE_S
    # 0: it no longer accepts connections. What was not accepted left nothing behind.
    assert {reply.status for reply in load.replies} <= {0, 200}
    answered = {reply.json()["prediction_id"] for reply in load.succeeded}
    assert system.stored() - before == answered


def workers_of(system: System) -> list[psutil.Process]:
    """The processes below the container's first."""
    return psutil.Process(system.container.state["Pid"]).children()
