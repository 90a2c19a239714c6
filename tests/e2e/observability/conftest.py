"""One service under load for all these tests, and a Prometheus that watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from mlflow import MlflowClient

from persistence.api_keys import issue_key
from persistence.deployments import record_promotions
from persistence.engine import open_database
from persistence.tenants import create_tenant
from registry.client.factory import open_registry
from registry.names import CHALLENGER, PRODUCTION
from scoring.prediction import ModelVersion
from sentinel.operations.drift_monitor import monitor
from tests.support.drift_data import a_model_with_distribution, decide, last_day, payments
from tests.support.factories import a_body, a_model
from tests.support.load import request, send
from tests.support.prometheus import Prometheus, scraping
from tests.support.stack import KEY_SECRET, Publish, Service, publisher, serving

MODEL = "fraud-observed"
THRESHOLD = 0.3
"""At which transfers that empty an account are reviewed and other payments are not."""


@dataclass(frozen=True)
class Watched:
    """A service whose only tenant has a champion and a challenger, and who watches it."""

    service: Service
    prometheus: Prometheus
    publish: Publish
    key: str
    review_key: str

    def payments(self, count: int, **headers: str) -> list[bytes]:
        """Return requests to /score, each of another account; a quarter goes to review."""
        key = {"Authorization": f"Bearer {self.key}", "Content_Type": "application/json"}
        bodies = (
            a_body(nameOrig=f"C{10_000_000 + i}", **({} if i % 4 == 0 else {"type": "PAYMENT"}))
            for i in range(count)
        )
        return [request("POST", "/score", orjson.dumps(b), **key, **headers) for b in bodies]

    def metrics(self) -> str:
        """Return what /metrics says."""
        return self.service.client.get("/metrics").text

    def log(self) -> list[dict[str, Any]]:
        """Return the records of the service's log; the last line may be under way."""
        lines, _, _ = self.service.child.log.read_bytes().rpartition(b"\n")
        return [orjson.loads(line) for line in lines.splitlines()]


@pytest.fixture(scope="package")
def watched(
    make_database: Callable[..., str],
    migrated_template: str,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Watched]:
    """A service that has been through a promotion, a refusal, shadow scores and 10 s of load."""
    home: Path = tmp_path_factory.mktemp("watched")
    database = make_database(template=migrated_template)
    engine = open_database(database)
    publish = publisher(mlflow_server, home)
    tenant = create_tenant(engine, "demo", MODEL)
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    review_key = issue_key(engine, tenant.id, ("review", "admin"), KEY_SECRET)
    for number, alias in ((1, PRODUCTION), (2, None)):
        model = a_model_with_distribution(seed=number, threshold=THRESHOLD)
        assert publish(MODEL, model, alias=alias) == number
        version = ModelVersion(MODEL, number)
        record_promotions(engine, [tenant.id], replace(model, version=version))
        decide(engine, tenant.id, version, payments(500))
    assert list(monitor(engine, open_registry(mlflow_server), [tenant], last_day()))
    engine.dispose()
    port = free_port()
    with (
        serving(database, mlflow_server, home, port) as service,
        scraping(f"127.0.0.1:{port}", home / "prometheus", free_port()) as prometheus,
    ):
        service.wait_until_ready()
        system = Watched(service, prometheus, publish, key, review_key)
        publish(MODEL, a_model(threshold=THRESHOLD), alias=CHALLENGER)
        live_through_a_day(system, mlflow_server)
        yield system


def live_through_a_day(system: Watched, tracking_uri: str) -> None:
    """Let happen what dashboards show: load, faults, a promotion, a refusal, shadow scores."""
    url, child = system.service.url, system.service.child
    send(url, system.payments(1500))
    send(url, [request("POST", "/score", b"{}"), request("GET", "/nothing/here")] * 3)
    MlflowClient(tracking_uri).set_registered_model_alias(MODEL, PRODUCTION, "2")
    child.wait_until(
        lambda: f'sentinel_model_version{{model="{MODEL}"}} 2.0' in system.metrics(), 15
    )
    system.publish(
        MODEL,
        a_model(threshold=THRESHOLD),
        spoil=lambda folder: (folder / "booster.txt").write_text("not a model"),
    )
    child.wait_until(lambda: "sentinel_model_refusals_total{" in system.metrics(), 15)
    bulk = orjson.dumps({"transactions": [a_body()] * 50})
    key = {"Authorization": f"Bearer {system.key}"}
    # So that whatever has begun is scraped twice, and a rate is known.
    for _ in range(4):
        send(url, system.payments(600))
        send(url, [request("POST", "/score", b"{}"), request("GET", "/nothing/here")])
        send(url, [request("POST", "/score/batch", bulk, **key)] * 4, clients=2)
    child.wait_until(lambda: "sentinel_shadow_scored_total{" in system.metrics(), 15)
    for name in ("sentinel_shadow_scored_total", "sentinel_model_refusals_total"):
        child.wait_until(lambda name=name: system.prometheus.evaluate(f"rate({name}{{}}[30s])"), 15)
