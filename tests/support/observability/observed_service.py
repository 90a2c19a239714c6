"""A service under load with a Prometheus that scrapes it, and the events that dashboards show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from mlflow import MlflowClient

from registry.names import PRODUCTION
from tests.support.factories import a_body, a_model
from tests.support.load import request, score_request, send
from tests.support.observability.prometheus import Prometheus
from tests.support.stack import Publish, Service

MODEL = "fraud-observed"
THRESHOLD = 0.3
"""Threshold at which transfers that empty an account are reviewed and other payments are not."""


@dataclass(frozen=True)
class Watched:
    """A service whose only tenant has a champion and a challenger, and its Prometheus."""

    service: Service
    prometheus: Prometheus
    publish: Publish
    key: str
    review_key: str

    def payments(self, count: int, **headers: str) -> list[bytes]:
        """Return requests to /score, each of another account; a quarter goes to review."""
        bodies = (
            a_body(nameOrig=f"C{10_000_000 + i}", **({} if i % 4 == 0 else {"type": "PAYMENT"}))
            for i in range(count)
        )
        return [score_request(body, self.key, **headers) for body in bodies]

    def metrics(self) -> str:
        """Return the text of GET /metrics."""
        return self.service.client.get("/metrics").text

    def log(self) -> list[dict[str, Any]]:
        """Return the records of the service's log; the last line may be under way."""
        lines, _, _ = self.service.child.log.read_bytes().rpartition(b"\n")
        return [orjson.loads(line) for line in lines.splitlines()]


def live_through_a_day(system: Watched, tracking_uri: str) -> None:
    """Cause what dashboards show: load, faults, a promotion, a refusal, shadow scores."""
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
    bulk = score_request({"transactions": [a_body()] * 50}, system.key, "/score/batch")
    # So that whatever has begun is scraped twice, and a rate is known.
    for _ in range(4):
        send(url, system.payments(600))
        send(url, [request("POST", "/score", b"{}"), request("GET", "/nothing/here")])
        send(url, [bulk] * 4, clients=2)
    child.wait_until(lambda: "sentinel_shadow_scored_total{" in system.metrics(), 15)
    for name in ("sentinel_shadow_scored_total", "sentinel_model_refusals_total"):
        child.wait_until(lambda name=name: system.prometheus.evaluate(f"rate({name}{{}}[30s])"), 15)
