"""Invalid input gets the right status and its field, writes nothing, and serving continues."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.factories import a_body
from tests.support.system import System

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


@pytest.fixture(autouse=True)
def _nothing_is_written(system: System) -> Any:
    before = system.count("transactions")
    yield
    assert system.count("transactions") == before
    assert system.service.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "WIRE"),
        ("type", "GIFT"),
        ("type", None),
        ("amount", -0.01),
        ("amount", 1e13),
        ("amount", "12"),
        ("amount", True),
        ("amount", None),
        ("step", 2**40),
        ("step", -1),
        ("step", 1.5),
        ("nameOrig", "C" * 200),
        ("nameOrig", ""),
        ("nameOrig", "C 1"),
        ("nameOrig", "C\u0000"),
        ("nameDest", "Ç1"),
        ("nameDest", 7),
        ("oldbalanceOrg", 1e300),
        ("oldbalanceDest", []),
        ("external_id", "x" * 129),
        ("external_id", "a\nb"),
        ("isFraud", 1),
        ("surprise", {}),
    ],
)
def test_a_bad_field_is_422_and_named(system: System, field: str, value: Any) -> None:
    reply = system.score(a_body(**{field: value}))
    assert reply.status_code == 422
    assert reply.headers["content-type"] == PROBLEM
    assert [e["field"] for e in reply.json()["errors"]] == [field]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_number_that_is_not_finite_is_422_and_named(system: System, number: str) -> None:
    text = json.dumps(a_body(amount="?")).replace('"?"', number)
    reply = post_text(system, text)
    assert reply.status_code == 422
    assert [e["field"] for e in reply.json()["errors"]] == ["amount"]


@pytest.mark.parametrize(
    ("field", "token"),
    [
        ("amount", "NaN"),
        ("oldbalanceOrg", "Infinity"),
        ("nameOrig", '"' + "C" * 200 + '"'),
        ("step", str(2**40)),
    ],
)
def test_a_json_token_outside_a_fields_range_is_422_and_never_500(
    system: System, field: str, token: str
) -> None:
    reply = post_text(system, json.dumps(a_body(**{field: "@"})).replace('"@"', token))
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    "text", ["", "{", "[1,2", "null", "[]", '"x"', "\ud800".encode("utf-8", "surrogatepass")]
)
def test_a_broken_body_is_422(system: System, text: str | bytes) -> None:
    reply = post_text(system, text)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == PROBLEM


def post_text(system: System, text: str | bytes) -> Any:
    headers = {"Authorization": f"Bearer {system.key}", "Content-Type": "application/json"}
    return system.service.client.post("/score", content=text, headers=headers)


def test_every_missing_field_is_named_at_once(system: System) -> None:
    reply = system.score({})
    named = {e["field"] for e in reply.json()["errors"]}
    assert named == set(a_body())


@pytest.mark.parametrize("path", ["/score", "/score/batch", "/explain"])
def test_a_body_of_5_mb_is_413(system: System, path: str) -> None:
    reply = system.service.post(path, a_body(nameOrig="C" * 5_000_000), system.key)
    assert reply.status_code == 413
    assert reply.headers["content-type"] == PROBLEM


def test_a_body_of_5_mb_without_a_length_is_413(system: System) -> None:
    def chunks() -> Any:
        for _ in range(80):
            yield b"x" * 65536

    reply = system.service.client.post(
        "/score", content=chunks(), headers={"Authorization": f"Bearer {system.key}"}
    )
    assert reply.status_code == 413


@pytest.mark.parametrize("key", [None, "wrong", "sk_abc", "sk_" + "a" * 10 + "_" + "b" * 40])
@pytest.mark.parametrize("path", ["/score", "/score/batch", "/explain"])
def test_no_key_or_a_wrong_one_is_401(system: System, path: str, key: str | None) -> None:
    reply = system.service.post(path, a_body(), key)
    assert reply.status_code == 401
    assert reply.headers["content-type"] == PROBLEM
    assert reply.headers["www-authenticate"] == "Bearer"


def test_a_key_without_the_scope_is_403(system: System) -> None:
    assert system.service.post("/score", a_body(), system.review_key).status_code == 403


def test_one_invalid_row_is_422_for_the_whole_batch_and_named(system: System) -> None:
    rows = [a_body(), a_body(amount=-1), a_body(), a_body(type="WIRE")]
    reply = system.service.post("/score/batch", {"transactions": rows}, system.key)
    assert reply.status_code == 422
    assert [e["field"] for e in reply.json()["errors"]] == [
        "transactions.1.amount",
        "transactions.3.type",
    ]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_of_none_or_too_many_is_422(system: System, count: int) -> None:
    reply = system.service.post("/score/batch", {"transactions": [a_body()] * count}, system.key)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "transactions"


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda: {}, 422),
        (lambda: {"transaction": a_body(), "prediction_id": "0" * 32}, 422),
        (lambda: {"prediction_id": "seven"}, 422),
        (lambda: {"prediction_id": "01a20954-307f-76ad-bbfb-c426daea33c6"}, 404),
    ],
)
def test_an_explanation_request_without_one_known_subject_is_refused(
    system: System, make: Callable[[], dict[str, Any]], status: int
) -> None:
    reply = system.service.post("/explain", make(), system.key)
    assert reply.status_code == status
    assert reply.headers["content-type"] == PROBLEM


def test_a_bad_idempotency_header_is_422_and_named(system: System) -> None:
    reply = system.score(a_body(), headers={"Idempotency-Key": "a b"})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/score", 405), ("POST", "/score_batch", 404)],
)
def test_an_unknown_route_is_a_problem(system: System, method: str, path: str, status: int) -> None:
    reply = system.service.client.request(method, path)
    assert reply.status_code == status
    assert reply.headers["content-type"] == PROBLEM


def test_overdrafts_and_balances_after_the_payment_are_accepted(system: System) -> None:
    reply = system.service.post(
        "/explain",
        {
            "transaction": a_body(
                oldbalanceOrg=-3.5, oldbalanceDest=-1, newbalanceOrig="x", amount=0
            )
        },
        system.key,
    )
    assert reply.status_code == 200
