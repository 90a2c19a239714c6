"""A challenger scores every decision in shadow and never appears in a reply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from scoring.features import FEATURE_NAMES
from tests.support.factories import a_body, a_model
from tests.support.system import ServeBeside, System

CHALLENGER = a_model(seed=21, threshold=0.2)


@pytest.fixture(scope="module")
def challenger(system: System) -> int:
    """The number of the version that challenges."""
    version = system.publish(system.model, CHALLENGER, alias="challenger")
    system.service.child.wait_until(lambda: system.count("challenger_versions") == 1, 10)
    return version


def shadows(system: System, *prediction_ids: str) -> list[dict[str, Any]]:
    return system.rows(
        "SELECT s.*, p.features FROM shadow_scores s JOIN predictions p"
        " ON (p.tenant_id, p.id) = (s.tenant_id, s.prediction_id)"
        " WHERE s.prediction_id::text = ANY (:ids) ORDER BY s.prediction_id",
        ids=list(prediction_ids),
    )


def until_shadowed(system: System, *prediction_ids: str) -> list[dict[str, Any]]:
    count = len(prediction_ids)
    system.service.child.wait_until(lambda: len(shadows(system, *prediction_ids)) >= count, 10)
    return shadows(system, *prediction_ids)


def test_the_challengers_score_is_stored_and_the_champion_replies(
    system: System, challenger: int
) -> None:
    reply = system.score(a_body(amount=77.0)).json()
    assert reply["model"]["version"] != challenger
    (row,) = until_shadowed(system, reply["prediction_id"])
    assert (row["model_name"], row["model_version"]) == (system.model, challenger)
    features = np.array([[row["features"][name] for name in FEATURE_NAMES]])
    assert row["margin"] == CHALLENGER.margins(features)[0]
    assert row["score"] == CHALLENGER.calibrator(CHALLENGER.margins(features))[0]
    assert row["threshold"] == 0.2
    assert row["decision"] == CHALLENGER.policy.decide(row["score"])
    assert row["margin"] != reply["margin"]


def test_each_row_of_a_batch_is_scored_in_shadow_once(system: System, challenger: int) -> None:
    bodies = [a_body(amount=float(i)) for i in range(300)]
    reply = system.service.post("/score/batch", {"transactions": bodies}, system.key).json()
    ids = [result["prediction_id"] for result in reply["results"]]
    rows = until_shadowed(system, *ids)
    assert sorted(str(row["prediction_id"]) for row in rows) == sorted(ids)
    assert {row["model_version"] for row in rows} == {challenger}


def test_a_repeated_request_is_not_scored_in_shadow_again(system: System, challenger: int) -> None:
    first = system.score(a_body(external_id="once")).json()
    until_shadowed(system, first["prediction_id"])
    successor = system.publish(system.model, a_model(seed=22), alias="challenger")
    now = "SELECT version FROM challenger_versions"
    system.service.child.wait_until(lambda: system.rows(now)[0]["version"] == successor, 10)
    # Were it scored again, there would be a score of the successor.
    again = system.score(a_body(external_id="once")).json()
    assert again["prediction_id"] == first["prediction_id"]
    later = system.score(a_body()).json()
    assert until_shadowed(system, later["prediction_id"])[0]["model_version"] == successor
    (only,) = shadows(system, first["prediction_id"])
    assert only["model_version"] == challenger


@pytest.mark.usefixtures("challenger")
def test_shadow_scores_are_counted_by_model(system: System) -> None:
    metrics = system.service.client.get("/metrics").text
    (line,) = [
        line for line in metrics.splitlines() if line.startswith("sentinel_shadow_scored_total{")
    ]
    assert f'model="{system.model}"' in line
    assert float(line.rpartition(" ")[2]) >= 300


@pytest.mark.usefixtures("challenger")
def test_a_refused_challenger_is_recorded_and_changes_nothing_else(system: System) -> None:
    def spoil(folder: Path) -> None:
        (folder / "golden.json").unlink()

    bad = system.publish(system.model, a_model(seed=23), alias="challenger", spoil=spoil)
    noted = "SELECT * FROM refusals WHERE version = :version"
    system.service.child.wait_until(lambda: len(system.rows(noted, version=bad)) == 1, 10)
    assert "golden.json" in system.rows(noted, version=bad)[0]["reason"]
    assert system.score(a_body()).status_code == 200


@pytest.mark.usefixtures("challenger")
def test_without_the_alias_nothing_is_scored_in_shadow(system: System, mlflow_server: str) -> None:
    MlflowClient(mlflow_server).delete_registered_model_alias(system.model, "challenger")
    system.service.child.wait_until(lambda: system.count("challenger_versions") == 0, 10)
    before = system.count("shadow_scores")
    ids = [system.score(a_body()).json()["prediction_id"] for _ in range(5)]
    assert shadows(system, *ids) == []
    assert system.count("shadow_scores") == before


def test_a_graceful_stop_scores_the_shadow_queue_to_its_end(
    system: System, serve_beside: ServeBeside
) -> None:
    system.publish(system.model, CHALLENGER, alias="challenger")
    before = system.count("shadow_scores")
    with serve_beside() as other:
        for _ in range(3):
            body = {"transactions": [a_body(amount=float(i)) for i in range(1000)]}
            assert other.post("/score/batch", body, system.key).status_code == 200
    assert system.count("shadow_scores") == before + 3000
