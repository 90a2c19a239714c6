"""A data scientist promotes and rolls back in MLflow's own UI, while payments are scored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient
from sqlalchemy import Engine

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from registry.names import PRODUCTION
from tests.support.browser.chromium import browsing
from tests.support.browser.mlflow_ui import move_alias
from tests.support.factories import a_model
from tests.support.fixture_types import Rows
from tests.support.load import Load, Reply
from tests.support.stack import KEY_SECRET, Publish, serving

MODEL = "fraud-clicked"
FOLLOWS_WITHIN_SECONDS = 5.0
OWN_OF_EACH_REPLY = ("transaction_id", "prediction_id", "latency_ms")


def version_of(reply: Reply) -> int:
    return int(reply.json()["model"]["version"])


def versions_after(load: Load, moved: float) -> set[int]:
    """The versions that decided what was asked in the second after the time to follow."""
    start = moved + FOLLOWS_WITHIN_SECONDS
    time.sleep(max(0.0, start + 1 - time.monotonic()))
    return {version_of(r) for r in list(load.replies) if start <= r.begun_s < start + 1}


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
        with Load(key, [service.url]) as load:
            for version in (second, first):
                move_alias(page, mlflow_server, MODEL, version, PRODUCTION)
                moved = time.monotonic()
                assert in_production() == version
                assert versions_after(load, moved) == {version}

    assert [reply for reply in load.replies if reply.status != 200] == []
    told_by_version: dict[int, set[str]] = {}
    for reply in load.replies:
        body = {name: v for name, v in reply.json().items() if name not in OWN_OF_EACH_REPLY}
        told_by_version.setdefault(version_of(reply), set()).add(json.dumps(body))
    assert set(told_by_version) == {first, second}
    assert all(len(body) == 1 for body in told_by_version.values()), "a reply mixes versions"
    stored = rows("SELECT model_version, count(*) FROM predictions GROUP BY model_version")
    answered = [version_of(reply) for reply in load.replies]
    assert {row["model_version"]: row["count"] for row in stored} == {
        version: answered.count(version) for version in (first, second)
    }
