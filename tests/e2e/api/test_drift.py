"""GET /drift and the drift metrics return the latest run of `sentinel monitor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from persistence.api_keys import issue_key
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.tenants import Tenant, create_tenant
from registry.client.factory import open_registry
from scoring.evaluation.drift import SCORE
from scoring.features import FEATURE_NAMES
from scoring.prediction import ModelVersion
from sentinel.operations.drift_monitor import monitor
from tests.support.data.drift import a_model_with_distribution, decide, last_day, payments
from tests.support.factories import a_model, feature_rows
from tests.support.review_client import refused
from tests.support.stack import KEY_SECRET, Service, publisher, serving

PREDICTIONS = 1000


@dataclass(frozen=True)
class Monitored:
    """A service that was started after a run of the monitor over its tenants."""

    service: Service
    keys: dict[str, str]

    def drift(self, slug: str) -> dict[str, Any]:
        reply = self.get(self.keys[slug])
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def get(self, key: str, query: str = "") -> httpx.Response:
        return self.service.client.get(f"/drift{query}", headers={"Authorization": f"Bearer {key}"})


@pytest.fixture(scope="module")
def monitored(
    make_database: Callable[..., str],
    migrated_template: str,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Monitored]:
    """One tenant whose amounts have grown, one as in training, one idle, one without a model."""
    home: Path = tmp_path_factory.mktemp("service")
    database = make_database(template=migrated_template)
    engine = open_database(database)
    publish = publisher(mlflow_server, home)

    def tenant(slug: str, model: Any) -> Tenant:
        made = create_tenant(engine, slug, f"fraud-drift-{slug}")
        version = ModelVersion(made.model_name, publish(made.model_name, model))
        record_promotions(engine, [made.id], a_model(version=version))
        return made

    def decided(whose: Tenant, **factors: float) -> None:
        features = payments(PREDICTIONS, **factors)
        decide(engine, whose.id, ModelVersion(whose.model_name, 1), features)

    moved = tenant("moved", a_model_with_distribution())
    calm = tenant("calm", a_model_with_distribution())
    idle = tenant("idle", a_model_with_distribution())
    old = tenant("old", a_model())
    decided(moved, amount=5.0)
    decided(calm)
    decide(engine, old.id, ModelVersion(old.model_name, 1), feature_rows(3))
    watched = [moved, calm, idle, old]
    assert len(list(monitor(engine, open_registry(mlflow_server), watched, last_day()))) == 4
    new = create_tenant(engine, "new", "fraud-drift-new")
    keys = {one.slug: issue_key(engine, one.id, ("review",), KEY_SECRET) for one in (*watched, new)}
    keys["admin"] = issue_key(engine, moved.id, ("admin", "score"), KEY_SECRET)
    with serving(database, mlflow_server, home, free_port()) as service:
        service.wait_until_ready()
        yield Monitored(service, keys)
    engine.dispose()


def test_the_changed_feature_is_major_and_the_others_are_at_the_level_of_chance(
    monitored: Monitored,
) -> None:
    reply = monitored.drift("moved")
    assert reply["note"] is None
    assert reply["window"]["from"] < reply["window"]["to"] < reply["computed_at"]
    (version,) = reply["versions"]
    assert version["model"] == {"name": "fraud-drift-moved", "version": 1}
    assert (version["in_production"], version["predictions"]) == (True, PREDICTIONS)
    features = {measure["name"]: measure for measure in version["features"]}
    assert set(features) == set(FEATURE_NAMES)
    assert features["amount"]["level"] == "major"
    assert features["amount"]["psi"] > 0.25
    for measure in (version["score"], *features.values()):
        assert measure["rows"] == sum(one["rows"] for one in measure["bins"]) == PREDICTIONS
        assert sum(one["trained"] for one in measure["bins"]) == pytest.approx(1)
        ends = [one["from"] for one in measure["bins"][1:]]
        assert ends == [one["to"] for one in measure["bins"][:-1]]
        if measure["name"] != "amount" and measure["level"] != "constant":
            assert measure["level"] == "stable"
            assert measure["psi"] <= measure["limit_without_drift"]
            assert 0 < measure["expected_without_drift"] < measure["limit_without_drift"]


def test_each_tenant_reads_its_own_run(monitored: Monitored) -> None:
    (version,) = monitored.drift("calm")["versions"]
    assert version["model"]["name"] == "fraud-drift-calm"
    levels = {measure["level"] for measure in (version["score"], *version["features"])}
    assert levels == {"stable", "constant"}


def test_a_window_without_decisions_has_a_note_and_no_psi(monitored: Monitored) -> None:
    (version,) = monitored.drift("idle")["versions"]
    assert (version["predictions"], version["note"]) == (0, "It decided nothing in the window.")
    assert version["score"]["level"] == "empty"
    assert {m["psi"] for m in (version["score"], *version["features"])} == {None}


def test_a_version_without_a_training_distribution_has_a_note_and_no_measures(
    monitored: Monitored,
) -> None:
    (version,) = monitored.drift("old")["versions"]
    assert (version["predictions"], version["score"], version["features"]) == (3, None, [])
    assert "carries no training distribution" in version["note"]


def test_before_the_first_monitor_run_the_reply_is_empty_with_a_note(monitored: Monitored) -> None:
    reply = monitored.drift("new")
    assert (reply["computed_at"], reply["window"], reply["versions"]) == (None, None, [])
    assert "`sentinel monitor` has not run" in reply["note"]


def test_drift_needs_the_scope_review_and_takes_no_parameters(monitored: Monitored) -> None:
    refused(monitored.get(monitored.keys["admin"]), 403)
    refused(monitored.get("sk_nobody_x"), 401)
    refused(monitored.get(monitored.keys["calm"], "?days=7"), 422, "days")


def test_the_metrics_have_psi_by_model_and_feature_for_measured_versions_only(
    monitored: Monitored,
) -> None:
    def series() -> dict[str, float]:
        lines = monitored.service.client.get("/metrics").text.splitlines()
        parts = (line.rpartition(" ") for line in lines if line.startswith("sentinel_drift_"))
        return {name.removeprefix("sentinel_drift_"): float(value) for name, _, value in parts}

    monitored.service.child.wait_until(lambda: bool(series()), 10)
    samples = series()
    (version,) = monitored.drift("moved")["versions"]
    measured = [m for m in (version["score"], *version["features"]) if m["psi"] is not None]
    for measure in measured:
        labels = f'feature="{measure["name"]}",model="fraud-drift-moved"'
        assert samples[f"psi{{{labels}}}"] == pytest.approx(measure["psi"])
    of_model = {
        kind: {name.split('"')[-2]: samples[name] for name in samples if name.startswith(kind)}
        for kind in ("window_rows", "computed_timestamp_seconds")
    }
    assert of_model["window_rows"] == {
        f"fraud-drift-{slug}": count
        for slug, count in {"moved": PREDICTIONS, "calm": PREDICTIONS, "idle": 0, "old": 3}.items()
    }
    assert set(of_model["computed_timestamp_seconds"]) == set(of_model["window_rows"])
    models = {name.split('model="')[1].rstrip('"}') for name in samples if name.startswith("psi")}
    assert models == {"fraud-drift-moved", "fraud-drift-calm"}, "nothing was measured of the others"
    assert any(f'feature="{SCORE}"' in name for name in samples)
