"""A canary decides for a share of accounts; the version that did not decide scores in shadow."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from scoring.prediction import ModelVersion
from serving.deployment.assignment import is_canary
from tests.support.factories import a_body, a_model
from tests.support.system import System

ACCOUNTS = [f"C{number}" for number in range(60)]


@pytest.fixture(scope="module")
def challenger(system: System) -> int:
    """The number of the version that challenges."""
    return system.publish(system.model, a_model(seed=31, threshold=0.3), alias="challenger")


def set_share(system: System, mlflow_server: str, version: int, percent: str) -> None:
    client = MlflowClient(mlflow_server)
    client.set_model_version_tag(system.model, str(version), "sentinel.canary_percent", percent)


def until_share(system: System, percent: float) -> None:
    now = "SELECT canary_percent FROM challenger_versions"
    system.service.child.wait_until(
        lambda: [row["canary_percent"] for row in system.rows(now)] == [percent], 10
    )


def decided_by(system: System) -> dict[str, int]:
    return {
        account: system.score(a_body(nameOrig=account)).json()["model"]["version"]
        for account in ACCOUNTS
    }


def test_the_challenger_decides_for_a_fixed_share_of_accounts(
    system: System, mlflow_server: str, challenger: int
) -> None:
    set_share(system, mlflow_server, challenger, "40")
    until_share(system, 40.0)
    deciders = decided_by(system)
    version = ModelVersion(system.model, challenger)
    expected = {a for a in ACCOUNTS if is_canary(version, 40.0, a)}
    assert {a for a, v in deciders.items() if v == challenger} == expected
    assert 0 < len(expected) < len(ACCOUNTS)
    bodies = [a_body(nameOrig=account) for account in ACCOUNTS]
    batch = system.service.post("/score/batch", {"transactions": bodies}, system.key).json()
    assert [r["model"]["version"] for r in batch["results"]] == list(deciders.values())
    assert decided_by(system) == deciders


def test_the_version_that_did_not_decide_scores_in_shadow(system: System, challenger: int) -> None:
    def unmatched() -> int:
        return int(
            system.rows(
                "SELECT count(*) FROM predictions p WHERE NOT EXISTS (SELECT FROM shadow_scores s"
                " WHERE (s.tenant_id, s.prediction_id) = (p.tenant_id, p.id)"
                " AND s.model_version <> p.model_version)"
            )[0]["count"]
        )

    system.service.child.wait_until(lambda: unmatched() == 0, 10)
    both = system.rows(
        "SELECT DISTINCT p.model_version AS decided, s.model_version AS shadow, s.threshold"
        " FROM predictions p JOIN shadow_scores s ON s.prediction_id = p.id ORDER BY 1"
    )
    pairs = {(row["decided"], row["shadow"], row["threshold"]) for row in both}
    assert pairs == {(challenger - 1, challenger, 0.3), (challenger, challenger - 1, 0.05)}


def test_at_100_percent_the_challenger_decides_for_every_account(
    system: System, mlflow_server: str, challenger: int
) -> None:
    set_share(system, mlflow_server, challenger, "100")
    until_share(system, 100.0)
    assert set(decided_by(system).values()) == {challenger}


def test_an_invalid_canary_share_counts_as_0_and_is_logged_once(
    system: System, mlflow_server: str, challenger: int
) -> None:
    set_share(system, mlflow_server, challenger, "a third")
    until_share(system, 0.0)
    assert challenger not in decided_by(system).values()
    log = system.service.child.log.read_text()
    assert log.count("'a third' is not a number from 0 to 100") == 1
