"""Moving the `production` alias is all it takes; a version that fails its checks never serves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from persistence.keys import issue_key
from persistence.tenants import create_tenant
from scoring.model import MODEL_FILES
from tests.factories import a_body, a_model
from tests.serving.conftest import System
from tests.stack import KEY_SECRET

pytestmark = pytest.mark.slow

MODEL = "fraud-test_promotion"


def serving_version(system: System) -> int:
    return int(system.score(a_body()).json()["model"]["version"])


def until_serving(system: System, version: int, seconds: float = 5) -> None:
    system.service.child.wait_until(lambda: serving_version(system) == version, seconds)


def test_promotion_under_load_fails_no_request_and_is_followed_within_5_seconds(
    system: System,
) -> None:
    replies: list[tuple[int, int, float, float]] = []
    stop = threading.Event()

    def client() -> None:
        headers = {"Authorization": f"Bearer {system.key}"}
        with httpx.Client(base_url=system.service.url, timeout=30) as http:
            while not stop.is_set():
                reply = http.post("/score", json=a_body(), headers=headers)
                told = reply.json()
                replies.append(
                    (reply.status_code, told["model"]["version"], told["score"], told["base_value"])
                )

    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    try:
        for seed in (3, 4):
            until_serving(system, system.publish(MODEL, a_model(seed=seed)))
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert {status for status, *_ in replies} == {200}
    # Each version always tells the same: no reply mixes two.
    by_version: dict[int, set[tuple[float, float]]] = {}
    for _, version, score, base_value in replies:
        by_version.setdefault(version, set()).add((score, base_value))
    assert len(by_version) >= 2
    assert all(len(told) == 1 for told in by_version.values())


def test_rolling_back_is_moving_the_alias_back(system: System, mlflow_server: str) -> None:
    first = serving_version(system)
    until_serving(system, system.publish(MODEL, a_model(seed=5)))
    MlflowClient(mlflow_server).set_registered_model_alias(MODEL, "production", str(first))
    until_serving(system, first)


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
    refused = system.publish(MODEL, a_model(seed=6), spoil=spoil)
    client = MlflowClient(mlflow_server)

    def tags() -> dict[str, str]:
        return dict(client.get_model_version(MODEL, str(refused)).tags)

    system.service.child.wait_until(lambda: "sentinel.refused" in tags(), 10)
    assert reason in tags()["sentinel.refused"]
    assert serving_version(system) == before
    metrics = system.service.client.get("/metrics").text
    assert f'sentinel_model_refusals_total{{model="{MODEL}"}}' in metrics
    log = system.service.child.log.read_text()
    assert f"{MODEL} version {refused} is refused: " in log
    assert f"{MODEL} version {before} is in production" in log
    client.set_registered_model_alias(MODEL, "production", str(before))


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
    told = system.service.post("/score", a_body(), key).json()
    assert told["model"]["name"] == "fraud-newcomer"
    MlflowClient(mlflow_server).delete_registered_model_alias("fraud-newcomer", "production")
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).status_code == 503, 5
    )
