"""Moving the `production` alias promotes a version; one that fails its checks never serves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant, find_tenant
from registry.client.rest_client import RestClient
from registry.publish.promotion import Promotion, promote
from scoring.model.fraud_model import MODEL_FILES
from tests.support.factories import a_body, a_model
from tests.support.load import Load
from tests.support.review_client import Analyst
from tests.support.stack import KEY_SECRET, Service
from tests.support.system import ServeBeside, System

COMMAND = "python -m training promote"


def serving_version(system: System) -> int:
    return int(system.score(a_body()).json()["model"]["version"])


def until_serving(system: System, version: int, seconds: float = 5) -> None:
    system.service.child.wait_until(lambda: serving_version(system) == version, seconds)


@pytest.fixture(scope="module")
def other(serve_beside: ServeBeside) -> Iterator[Service]:
    """A second process on the same database and MLflow."""
    with serve_beside() as service:
        yield service


def version_at(service: Service, key: str) -> int:
    return int(service.post("/score", a_body(), key).json()["model"]["version"])


def until_version(service: Service, key: str, version: int) -> None:
    service.child.wait_until(lambda: version_at(service, key) == version, 5)


def test_under_load_every_process_follows_a_promotion_within_5_seconds_without_a_failed_request(
    system: System, other: Service
) -> None:
    services = (system.service, other)
    with Load(system.key, [service.url for service in services]) as load:
        for seed in (3, 4):
            version = system.publish(system.model, a_model(seed=seed, threshold=seed / 100))
            for service in services:
                until_version(service, system.key, version)
    assert {reply.status for reply in load.replies} == {200}
    served: dict[str, set[int]] = {}
    numbers: dict[int, set[tuple[float, float, float]]] = {}
    for reply in load.replies:
        body = reply.json()
        version = body["model"]["version"]
        served.setdefault(reply.url, set()).add(version)
        same = (body["score"], body["base_value"], body["threshold"])
        numbers.setdefault(version, set()).add(same)
    assert {url: len(versions) for url, versions in served.items()} == {
        service.url: 3 for service in services
    }
    # Every process computes the same numbers for a version: no reply mixes two.
    assert [len(of_version) for of_version in numbers.values()] == [1, 1, 1]


def test_rolling_back_is_moving_the_alias_back_and_takes_under_a_second(
    system: System, other: Service, mlflow_server: str
) -> None:
    services = (system.service, other)
    client = MlflowClient(mlflow_server)
    before = version_at(other, system.key)
    after = system.publish(system.model, a_model(seed=5))
    for service in services:
        until_version(service, system.key, after)
    begun = time.monotonic()
    client.set_registered_model_alias(system.model, "production", str(before))
    for service in services:
        while version_at(service, system.key) != before:
            assert time.monotonic() - begun < 1.0
    with httpx.Client(base_url=system.service.url, trust_env=False) as http:
        (swaps,) = [
            line
            for line in http.get("/metrics").text.splitlines()
            if line.startswith("sentinel_model_swaps_total{")
        ]
    assert f'model="{system.model}"' in swaps
    assert float(swaps.rpartition(" ")[2]) >= 2


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def edit(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return spoil


def shift_golden(content: dict[str, Any]) -> None:
    content["margins"][0] += 2e-9


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        *((remove(name), f"{name} is missing") for name in MODEL_FILES),
        (edit("golden.json", shift_golden), "golden rows"),
        (edit("policy.json", lambda c: c.update(threshold=1.5)), "policy.json"),
        (edit("calibrator.json", lambda c: c.update(slope=-1)), "calibrator.json"),
        (edit("features.json", lambda c: c["names"].reverse()), "features.json"),
        (lambda f: (f / "booster.txt").write_text("tree\nversion=v4\n"), "booster.txt"),
    ],
)
def test_a_version_that_fails_a_check_is_refused_tagged_and_counted(
    system: System,
    mlflow_server: str,
    spoil: Callable[[Path], object],
    reason: str,
) -> None:
    before = serving_version(system)
    refused = system.publish(system.model, a_model(seed=6), spoil=spoil)
    client = MlflowClient(mlflow_server)

    def tags() -> dict[str, str]:
        return dict(client.get_model_version(system.model, str(refused)).tags)

    system.service.child.wait_until(lambda: "sentinel.refused" in tags(), 10)
    assert reason in tags()["sentinel.refused"]
    assert serving_version(system) == before
    # The count and the log are a moment behind the tag.
    counted = f'sentinel_model_refusals_total{{model="{system.model}"}}'
    system.service.child.wait_until(
        lambda: counted in system.service.client.get("/metrics").text, 5
    )
    log = system.service.child.log
    system.service.child.wait_until(
        lambda: f"{system.model} version {refused} is refused: " in log.read_text(), 5
    )
    assert f"{system.model} version {before} has the alias production" in log.read_text()
    system.service.child.wait_until(
        lambda: bool(system.rows("SELECT FROM refusals WHERE version = :version", version=refused)),
        5,
    )
    (noted,) = system.rows("SELECT * FROM refusals WHERE version = :version", version=refused)
    assert noted["reason"] == tags()["sentinel.refused"]
    (entry,) = system.rows(
        "SELECT * FROM audit_log WHERE action = 'refusal.created'"
        " AND (after->>'version')::int = :version",
        version=refused,
    )
    assert entry["actor"] == "mlflow"
    client.set_registered_model_alias(system.model, "production", str(before))


def test_a_promotion_is_audited_with_the_user_of_the_command_and_one_by_hand_with_mlflow(
    system: System, mlflow_server: str
) -> None:
    client, registry = MlflowClient(mlflow_server), RestClient(mlflow_server)
    before = serving_version(system)
    after = system.publish(system.model, a_model(seed=9), alias=None)

    def by_command(version: int, user: str) -> None:
        registered = registry.find(system.model, version)
        assert registered is not None
        promote(client, registered, Promotion(user, COMMAND, "It saves more."))
        until_serving(system, version)

    def by_hand(version: int) -> None:
        client.set_registered_model_alias(system.model, "production", str(version))
        until_serving(system, version)

    admin = Analyst(system, find_tenant(system.engine, "demo"), "review", "admin")

    def policy_actor() -> str:
        return str(admin.get("/models").json()["policy"]["actor"])

    by_command(after, "anna")
    assert policy_actor() == "anna"
    by_hand(before)
    assert policy_actor() == "mlflow"
    by_hand(after)
    # Not the newest version: its tags are read when the alias is set.
    by_command(before, "ben")
    assert policy_actor() == "ben"
    entries = system.rows(
        "SELECT actor, via FROM audit_log WHERE action = 'promotion.changed'"
        " ORDER BY id DESC LIMIT 4"
    )
    assert [entry["actor"] for entry in entries[::-1]] == ["anna", "mlflow", "mlflow", "ben"]
    assert [entry["via"] for entry in entries[::-1]] == [COMMAND, "mlflow", "mlflow", COMMAND]


def test_a_tenant_without_a_production_version_gets_503_and_then_its_own_model(
    system: System, mlflow_server: str
) -> None:
    newcomer = create_tenant(system.engine, "newcomer", "fraud-newcomer")
    key = issue_key(system.engine, newcomer.id, ("score",), KEY_SECRET)
    reply = system.service.post("/score", a_body(), key)
    assert reply.status_code == 503
    assert reply.json()["type"] == "urn:sentinel:problem:no-production-model"
    system.publish("fraud-newcomer", a_model(seed=8))
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).status_code == 200, 5
    )
    body = system.service.post("/score", a_body(), key).json()
    assert body["model"]["name"] == "fraud-newcomer"
    MlflowClient(mlflow_server).delete_registered_model_alias("fraud-newcomer", "production")
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).status_code == 503, 5
    )
