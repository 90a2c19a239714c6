"""An analyst who reviews a tenant's decisions over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import sleep
from typing import TYPE_CHECKING, Any

import httpx

from persistence.api_keys import issue_key
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.tenants import Tenant
from scoring.prediction import ModelVersion
from tests.support.data.review import decide
from tests.support.factories import decision_at
from tests.support.stack import KEY_SECRET

if TYPE_CHECKING:
    from tests.support.system import System

PROBLEM = "application/problem+json"


class Analyst:
    """A tenant's API key with its scopes, and decisions of the tenant to review."""

    def __init__(self, system: System, tenant: Tenant, *scopes: str) -> None:
        self.system, self.tenant = system, tenant
        self.key = issue_key(system.engine, tenant.id, scopes or ("review",), KEY_SECRET)
        self.headers = {"Authorization": f"Bearer {self.key}"}

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.system.service.client.get(path, params=parameters, headers=self.headers)

    def put_policy(self, **changes: Any) -> httpx.Response:
        client = self.system.service.client
        return client.put("/policy", json=changes, headers=self.headers)

    def withdraw_policy(self) -> httpx.Response:
        return self.system.service.client.delete("/policy", headers=self.headers)

    def say(self, transaction_id: Any, label: str = "false_positive", **body: Any) -> Any:
        path = f"/transactions/{transaction_id}/feedback"
        verdict = {"label": label, "rationale": "seen"} | body
        return self.system.service.post(path, verdict, self.key)

    def decided(
        self, *scores: float, days_ago: float = 0, version: int = 1, **transaction: Any
    ) -> list[Decided]:
        """Store decisions with these scores, as the service would."""
        model = ModelVersion(self.tenant.model_name, version)
        made = [decide(self.tenant, score, model, **transaction) for score in scores]
        if days_ago:
            moment = datetime.now(UTC) - timedelta(days=days_ago)
            made = [decision_at(decision, moment) for decision in made]
        assert DecisionLog(self.system.engine).write(made) == made
        sleep(0.002)  # ids of one millisecond are in random order: the next call's come later
        return made

    def walk(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every entry, page by page."""
        entries: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, **parameters, **cursor).json()
            entries += page["items"]
            if page["next_cursor"] is None:
                return entries
            assert page["items"]
            cursor = {"cursor": page["next_cursor"]}


def refused(reply: httpx.Response, status: int, *fields: str) -> dict[str, Any]:
    """Check that a reply is our problem and names the fields."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == PROBLEM
    body: dict[str, Any] = reply.json()
    assert body["status"] == status
    assert tuple(error["field"] for error in body.get("errors", [])) == fields
    return body
