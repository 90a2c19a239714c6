"""Four eyes over HTTP: a promoted version serves once a second person has approved it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from persistence.tenants import create_tenant, set_four_eyes
from registry.names import PROMOTED_AT_TAG, PROMOTED_BY_TAG
from tests.support.factories import a_body, a_model
from tests.support.review_client import Analyst
from tests.support.system import System


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


class Bank:
    """A tenant that asks for four eyes, with version 1 in production and version 2 promoted."""

    def __init__(self, system: System, slug: str) -> None:
        self.system = system
        self.model = f"fraud-{slug}"
        tenant = create_tenant(system.engine, slug, self.model)
        self.admin = Analyst(system, tenant, "score", "review", "admin")
        self.reviewer = Analyst(system, tenant, "score", "review")
        system.publish(self.model, a_model())
        self.wait_until_served_by(1)
        set_four_eyes(system.engine, slug, True)
        system.publish(self.model, a_model(seed=4))

    def wait_until_served_by(self, version: int) -> None:
        self.system.service.child.wait_until(lambda: self.served_by() == version, 20)

    def served_by(self) -> int | None:
        reply = self.system.service.post("/score", a_body(), self.admin.key)
        return int(reply.json()["model"]["version"]) if reply.is_success else None

    def models(self) -> dict[str, Any]:
        body: dict[str, Any] = self.admin.get("/models").json()
        return body

    def approve(
        self, version: object = 2, content: bytes | None = None, *, key: str | None = None,
        **headers: str,
    ) -> httpx.Response:  # fmt: skip
        headers["Authorization"] = f"Bearer {key or self.admin.key}"
        url = f"{self.system.service.url}/models/{version}/approve"
        return httpx.post(url, content=content, headers=headers, trust_env=False)

    def approvals(self) -> list[dict[str, Any]]:
        return self.system.rows(
            "SELECT version, actor, note FROM version_approvals WHERE name = :name ORDER BY at",
            name=self.model,
        )


@pytest.fixture(scope="module")
def bank(system: System) -> Bank:
    """A bank whose version 2 waits; the tests that approve nothing share it."""
    bank = Bank(system, "waiting")
    system.service.child.wait_until(lambda: bank.models()["refusals"] != [], 20)
    return bank


def test_a_promoted_version_waits_and_serves_at_the_next_look_after_its_approval(
    system: System,
) -> None:
    bank = Bank(system, "approving")
    system.service.child.wait_until(lambda: bank.models()["refusals"] != [], 20)
    reply = bank.models()
    (refusal,) = reply["refusals"]
    assert reply["four_eyes"] is True
    assert reply["approvals"] == []
    assert refusal["model"] == {"name": bank.model, "version": 2}
    assert refusal["awaits_approval"] is True
    assert refusal["reason"] == ("A second person has to approve it: POST /models/2/approve.")
    assert bank.served_by() == 1

    approved = bank.approve(content=b'{"note": "compared on September"}')
    assert approved.status_code == 200, approved.text
    system.service.child.wait_until(lambda: bank.served_by() == 2, 4)
    assert approved.json() == bank.models()["approvals"][0]
    assert approved.json()["note"] == "compared on September"
    assert bank.models()["refusals"] == []
    again = bank.approve()
    assert again.json() == approved.json(), "the first approval stays"
    entries = bank.admin.get("/audit", action="approval.created").json()["items"]
    assert [(e["actor"], e["object"]) for e in entries] == [
        (approved.json()["actor"], f"models/{bank.model}/2")
    ]


def test_an_approval_with_an_idempotency_key_is_carried_out_once(system: System) -> None:
    bank = Bank(system, "keyed")
    first = bank.approve(**{"Idempotency-Key": "approve-2"})
    second = bank.approve(**{"Idempotency-Key": "approve-2"})
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert bank.approve(3, **{"Idempotency-Key": "approve-2"}).status_code == 404


@pytest.mark.parametrize(
    ("version", "content", "status", "fields"),
    [
        (0, None, 422, ["version"]),
        ("two", None, 422, ["version"]),
        (2**31, None, 422, ["version"]),
        (10**30, None, 422, ["version"]),
        (3, None, 404, []),
        (2, b"[]", 422, ["body"]),
        (2, b"yes", 422, []),
        (2, b'{"note": ""}', 422, ["note"]),
        (2, b'{"note": 5}', 422, ["note"]),
        (2, b'{"note": "a\\u0000b"}', 422, ["note"]),
        (2, b'{"why": "good"}', 422, ["why"]),
        (2, b'{"note": "good", "note": "bad"}', 422, ["note"]),
    ],
)
def test_what_is_not_valid_names_its_field_and_approves_nothing(
    bank: Bank, version: object, content: bytes | None, status: int, fields: list[str]
) -> None:
    reply = bank.approve(version, content)
    assert reply.status_code == status, reply.text
    named = [error["field"] for error in reply.json().get("errors", [])]
    assert named == fields
    assert bank.approvals() == []
    assert bank.served_by() == 1


def test_only_administrators_approve(bank: Bank) -> None:
    reply = bank.approve(key=bank.reviewer.key)
    assert reply.status_code == 403
    assert bank.approvals() == []


def test_who_promoted_a_version_does_not_approve_it(system: System, mlflow_server: str) -> None:
    bank = Bank(system, "alone")
    (key,) = system.rows(
        "SELECT name FROM api_keys WHERE prefix = :prefix", prefix=bank.admin.key.split("_")[1]
    )
    mlflow = MlflowClient(mlflow_server)
    for tag, value in ((PROMOTED_BY_TAG, key["name"]), (PROMOTED_AT_TAG, "2026-01-02T10:00:00Z")):
        mlflow.set_model_version_tag(bank.model, "2", tag, value)
    reply = bank.approve()
    assert reply.status_code == 409
    assert reply.json()["type"].endswith("second-person-needed")
    assert reply.json()["detail"] == (
        f"{key['name']} promoted {bank.model} version 2, so somebody else has to approve it."
    )
    assert bank.approvals() == []
    assert bank.served_by() == 1
