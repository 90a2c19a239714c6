"""Generated calls get only replies that the OpenAPI document describes.

Every reply has to have a documented status, content type and schema, and none may be a 500.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.specs.openapi.checks import positive_data_acceptance

from persistence.api_keys import issue_key
from tests.support.stack import KEY_SECRET
from tests.support.system import System

pytestmark = pytest.mark.timeout(900)

EXAMPLES = 2_000
STEPS = 10
UNLINKED = (
    ("get", "/policy"),
    ("put", "/policy"),
    ("delete", "/policy"),
    ("get", "/tuner"),
    ("get", "/models"),
    ("get", "/drift"),
    ("post", "/labels"),
)
"""Endpoints that no walk from a score leads to."""


def test_generated_call_sequences_get_only_documented_replies(system: System) -> None:
    (tenant,) = system.rows("SELECT id FROM tenants WHERE slug = 'demo'")
    key = issue_key(system.engine, tenant["id"], ("score", "review", "admin"), KEY_SECRET)
    document = system.service.client.get("/openapi.json").json()
    # Its name looks like a reference to something that no route makes, so a walk would never begin
    # with a score; the Idempotency-Key header, which says the same, stays.
    del document["components"]["schemas"]["TransactionIn"]["properties"]["external_id"]
    for _, path in UNLINKED:
        document["paths"].pop(path, None)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=system.service.url)
    statuses: Counter[int] = Counter()
    routes: Counter[str] = Counter()
    failures: list[Exception] = []

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, _case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {key}"}}

        def validate_response(
            self, response: schemathesis.Response, case: schemathesis.Case, **more: Any
        ) -> None:
            statuses[response.status_code] += 1
            routes[f"{case.method} {case.path}"] += 1
            # A forged cursor, an amount without a time range, a reused external_id: well formed by
            # the schema and yet 422, as documented.
            try:
                case.validate_response(
                    response,
                    excluded_checks=[positive_data_acceptance],
                    transport_kwargs=more or None,
                    recorder=self.recorder,
                )
            except Exception as failure:
                failures.append(failure)
                raise

    while (made := sum(statuses.values())) < EXAMPLES:
        # A walk that begins as an earlier one may go on otherwise, since the queue has changed:
        # hypothesis then ends the round, after hundreds of calls or a few.
        with suppress(FlakyStrategyDefinition):
            Walk.run(
                settings=settings(
                    max_examples=EXAMPLES // STEPS,
                    stateful_step_count=STEPS,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                    database=None,
                )
            )
        assert sum(statuses.values()) > made, f"a round made no call after {made} of them"
    assert not failures
    assert 500 not in statuses
    assert {200, 201} <= set(statuses), statuses
    walked = {"POST /score", "GET /transactions/{id}", "POST /transactions/{id}/feedback"}
    assert walked | {"GET /queue"} <= set(routes), routes


@pytest.mark.parametrize(("method", "path"), UNLINKED)
def test_generated_calls_of_an_unlinked_route_get_only_documented_replies(
    system: System, method: str, path: str
) -> None:
    (tenant,) = system.rows("SELECT id FROM tenants WHERE slug = 'demo'")
    key = issue_key(system.engine, tenant["id"], ("score", "review", "admin"), KEY_SECRET)
    schema = schemathesis.openapi.from_dict(system.service.client.get("/openapi.json").json())
    schema.config.update(base_url=system.service.url)
    statuses: Counter[int] = Counter()

    @given(case=schema[path][method].as_strategy())
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def call(case: schemathesis.Case) -> None:
        response = case.call(headers={"Authorization": f"Bearer {key}"})
        statuses[response.status_code] += 1
        case.validate_response(response, excluded_checks=[positive_data_acceptance])

    call()
    if path == "/labels":  # a generated event may be one that the walks have sent
        assert set(statuses) <= {201, 404, 422}
        return
    assert set(statuses) <= {200, 422}
    assert statuses[200], statuses
