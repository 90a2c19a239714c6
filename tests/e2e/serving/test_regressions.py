"""What the systems before it got wrong, each as the test that would have caught it.

Those that need a part of their own stand elsewhere under their names: `/ready` green with Postgres
down and default secrets in `test_failures.py`, 202 SQL statements for 100 rows in
`tests/integration/persistence/test_writer.py`, duplicated and counted queue items in
`tests/persistence/test_review*.py`, CSV formulas in `tests/unit/api/test_csv_export.py`.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from tests.support.factories import a_body, a_model
from tests.support.stack import KEY_SECRET
from tests.support.system import System


@pytest.fixture(scope="module")
def neighbour_key(system: System) -> str:
    """A key of a second tenant, with a model of its own in production."""
    neighbour = create_tenant(system.engine, "neighbour", "fraud-neighbour-lessons")
    system.publish("fraud-neighbour-lessons", a_model(seed=9))
    key = issue_key(system.engine, neighbour.id, ("score",), KEY_SECRET)
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).is_success, 10
    )
    return key


def test_one_artifact_for_all_tenants_stamped_with_a_version_that_never_ran(
    system: System, neighbour_key: str
) -> None:
    mine = system.score(a_body()).json()
    theirs = system.service.post("/score", a_body(), neighbour_key).json()
    assert theirs["model"]["name"] == "fraud-neighbour-lessons"
    assert mine["model"]["name"] != theirs["model"]["name"]
    assert (mine["score"], mine["base_value"]) != (theirs["score"], theirs["base_value"])
    stamped = system.rows(
        "SELECT p.model_name, p.model_version FROM predictions p LEFT JOIN model_versions v"
        " ON (v.tenant_id, v.name, v.version) = (p.tenant_id, p.model_name, p.model_version)"
        " WHERE v.name IS NULL"
    )
    assert stamped == []


def test_balance_drained_computed_from_the_balance_after_the_decision(system: System) -> None:
    told = [
        system.score(a_body(newbalanceOrig=after, newbalanceDest=after)).json()["margin"]
        for after in (0.0, 181_250.75, 1e9)
    ]
    assert told[0] == told[1] == told[2] == system.score(a_body()).json()["margin"]


def test_an_unknown_type_scored_as_a_zero_vector(system: System) -> None:
    reply = system.score(a_body(type="GIFT"))
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "type")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "NaN"),
        ("oldbalanceOrg", "Infinity"),
        ("nameOrig", '"' + "C" * 200 + '"'),
        ("step", str(2**40)),
    ],
)
def test_nan_infinity_a_200_character_name_and_step_2_to_the_40_as_http_500(
    system: System, field: str, value: str
) -> None:
    body = json.dumps(a_body(**{field: "@"})).replace('"@"', value)
    headers = {"Authorization": f"Bearer {system.key}"}
    reply = system.service.client.post("/score", content=body, headers=headers)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


def test_latency_ms_that_stops_before_shap_and_the_database(system: System) -> None:
    held_s = 0.4
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with system.engine.begin() as connection:
            connection.execute(text("LOCK TABLE predictions IN EXCLUSIVE MODE"))
            locked.set()
            time.sleep(held_s)
        done.set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(5)
    begun = time.perf_counter()
    told = system.score(a_body()).json()
    seen_ms = (time.perf_counter() - begun) * 1e3
    holder.join()
    assert done.is_set()
    assert held_s * 1e3 * 0.5 < told["latency_ms"] <= seen_ms


def test_a_base_value_that_is_never_returned_so_nobody_can_check_that_the_reasons_add_up(
    system: System,
) -> None:
    scored = system.score(a_body()).json()
    explained: dict[str, Any] = system.service.post(
        "/explain", {"prediction_id": scored["prediction_id"]}, system.review_key
    ).json()
    assert explained["base_value"] == scored["base_value"]
    total = scored["base_value"] + sum(f["contribution"] for f in explained["features"])
    assert total == pytest.approx(scored["margin"], abs=1e-9)


def test_idempotency_looked_up_by_header_alone_without_the_tenant_and_the_body(
    system: System, neighbour_key: str
) -> None:
    header = {"Idempotency-Key": "invoice-7"}
    mine = system.score(a_body(), headers=header).json()
    theirs = system.service.post("/score", a_body(), neighbour_key, headers=header).json()
    other_body = system.score(a_body(amount=1.0), headers=header)
    assert mine["prediction_id"] != theirs["prediction_id"]
    assert other_body.status_code == 422
    assert system.score(a_body(), headers=header).json()["prediction_id"] == mine["prediction_id"]
