"""Walks through the scoring and review routes get what a model of the stored state expects.

Each walk sends events of one sender, with entities and ids of its own, and compares every reply to
the last bit with a decision that is computed from all that the walk has sent before.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from math import isnan
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from registry.names import model_name
from scoring.event_type.document import from_document, to_document
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion, Prediction
from tests.support.data.own_events import put_in_force
from tests.support.stack import KEY_SECRET
from tests.support.system import System
from tests.support.walks.expected import (
    OF_FEEDBACK,
    SOURCES,
    Expected,
    ExpectedEvent,
    ExpectedLabel,
    event_of,
)
from tests.support.walks.senders import SENDERS, START, Body, Fault, Sender

EXAMPLES = 16
STEPS = 20
NUMBERS = itertools.count(1)
"""Numbers of walks: their entities and ids have them."""
INDEX = st.integers(0, 99)
"""Place of a stored event among those of the walk, modulo their number."""


class Connection:
    """A sender's tenant at the running service.

    Args:
        system: running service.
        sender: events, faults and model of the tenant.
    """

    def __init__(self, system: System, sender: Sender) -> None:
        self.sender = sender
        tenant = create_tenant(system.engine, sender.name, model_name(sender.name))
        if sender.event_type is not None:
            put_in_force(system.engine, tenant, sender.event_type)
        number = system.publish(tenant.model_name, sender.model)
        version = ModelVersion(tenant.model_name, number)
        self.model: FraudModel = replace(sender.model, version=version).as_served()
        scopes = ("score", "review", "admin")
        self._headers = {
            "Authorization": f"Bearer {issue_key(system.engine, tenant.id, scopes, KEY_SECRET)}"
        }
        self._client = system.service.client
        self._count = "SELECT count(*) FROM transactions WHERE tenant_id = :id"
        self._tenant_id, self._system = tenant.id, system
        served = "SELECT FROM production_versions WHERE tenant_id = :id"
        system.service.child.wait_until(lambda: bool(system.rows(served, id=tenant.id)), 20)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Return what the service replies."""
        named = self._headers | {name.replace("_", "-"): text for name, text in headers.items()}
        return self._client.request(method, path, json=body, headers=named)

    def stored(self) -> int:
        """Return the number of stored events."""
        return int(self._system.rows(self._count, id=self._tenant_id)[0]["count"])


class Walk(RuleBasedStateMachine):
    """A walk of one sender; a subclass names its connection and strategies."""

    connection: Connection

    def begin(self) -> None:
        """Put the sender's event type in force."""
        self.prefix = f"w{next(NUMBERS)}-"
        self.expected = Expected(self.connection.model)
        self.event_type = self.connection.sender.event_type
        self.widened: set[str] = set()
        self.numbers = itertools.count(1)
        self.before = self.connection.stored()
        if self.event_type is not None:
            self.put_event_type(to_document(self.event_type), "?replace=true", 200)

    def put_event_type(self, document: Any, query: str, status: int) -> Any:
        reply = self.connection.send("PUT", f"/event-type{query}", document)
        assert reply.status_code == status, reply.text
        return reply.json()

    def own(self, body: Body, *, keyed: bool = False) -> Body:
        """Return a body with entities, and an id if it is `keyed`, of this walk alone."""
        entities = self.connection.sender.entities
        named = {k: f"{self.prefix}{v}" if k in entities else v for k, v in body.items()}
        return named | ({"external_id": f"{self.prefix}{next(self.numbers)}"} if keyed else {})

    def chosen(self, index: int, *, keyed: bool = False) -> ExpectedEvent:
        """Return a stored event, one with an id of its own if it has to be `keyed`."""
        among = [e for e in self.expected.events if e.event.external_id is not None or not keyed]
        return among[index % len(among)]

    def arrive(self, body: Body, before: Sequence[Any] = ()) -> ExpectedEvent:
        """Return what is expected of a body that is new."""
        event = event_of(body, self.event_type)
        return ExpectedEvent(body, event, self.expected.prediction(event, before), None)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """Return the reply to a POST that has to succeed."""
        reply = self.connection.send("POST", path, body, **headers)
        assert reply.is_success, reply.text
        return reply.json()

    def refused(self, method: str, path: str, body: Any, status: int = 422) -> Any:
        """Return the problem of a request that has to fail."""
        reply = self.connection.send(method, path, body)
        assert reply.status_code == status, reply.text
        assert reply.headers["Content-Type"] == "application/problem+json"
        return reply.json()

    def keep(self, expected: ExpectedEvent, reply: Any) -> None:
        """Compare the reply to a new event with what is expected, and keep both."""
        agrees(reply, expected.prediction)
        # Every feature that was stored, not only those that the reply names.
        stored = {"prediction_id": reply["prediction_id"]}
        explains(self.post("/explain", stored), expected.prediction)
        known = {event.reply["prediction_id"] for event in self.expected.events}
        assert reply["prediction_id"] not in known
        expected.reply = reply
        self.expected.events.append(expected)

    @invariant()
    def every_decision_is_stored_and_nothing_else(self) -> None:
        if hasattr(self, "before"):
            assert self.connection.stored() == self.before + len(self.expected.events)

    @rule(index=INDEX)
    def explain_stored(self, index: int) -> None:
        one = self.chosen(index)
        stored = {"prediction_id": one.reply["prediction_id"]}
        explains(self.post("/explain", stored), one.prediction)

    @rule(index=INDEX, with_header=st.booleans())
    def retry(self, index: int, with_header: bool) -> None:
        one = self.chosen(index, keyed=True)
        body, headers = one.body, {}
        if with_header:
            headers = {"Idempotency_Key": body["external_id"]}
            body = {k: v for k, v in body.items() if k != "external_id"}
        reply = self.connection.send("POST", "/score", body, **headers)
        assert reply.headers["Idempotent-Replayed"] == "true"
        repeats(reply.json(), one)

    @rule(index=INDEX, source=st.sampled_from(SOURCES), days=st.integers(0, 60),
          label=st.sampled_from(["fraud", "legitimate"]), is_reversal=st.booleans())  # fmt: skip
    def report(self, index: int, source: str, days: int, label: str, is_reversal: bool) -> None:
        one = self.chosen(index)
        at = START + timedelta(days=days)
        given = {"label": label, "source": source, "occurred_at": at.isoformat()}
        given |= {"reversed": True} if is_reversal else {}
        external_id = one.event.external_id
        of = (
            {"external_id": external_id}
            if external_id and days % 2
            else {"transaction_id": one.reply["transaction_id"]}
        )
        own_us = one.event.time_us
        if own_us is not None and at.timestamp() * 1e6 < own_us - 300_000_000:
            problem = self.refused("POST", "/labels", {"labels": [of | given]})
            assert [error["field"] for error in problem["errors"]] == ["labels.0.occurred_at"]
            return
        one.add(ExpectedLabel(label, source, at, is_reversal))
        (stored,) = self.post("/labels", {"labels": [of | given]})["labels"]
        assert stored["transaction_id"] == one.reply["transaction_id"]
        assert stored["effective_label"] == one.label

    @rule(index=INDEX)
    def report_of_no_event(self, index: int) -> None:
        label = {"label": "fraud", "source": "rule", "occurred_at": START.isoformat()}
        known = {"transaction_id": self.chosen(index).reply["transaction_id"]}
        labels = [label | known, label | {"transaction_id": str(uuid4())}]
        problem = self.refused("POST", "/labels", {"labels": labels}, 404)
        assert [error["field"] for error in problem["errors"]] == ["labels.1.transaction_id"]

    @rule(index=INDEX, label=st.sampled_from(list(OF_FEEDBACK)))
    def review(self, index: int, label: str) -> None:
        one = self.chosen(index)
        path = f"/transactions/{one.reply['transaction_id']}/feedback"
        self.post(path, {"label": label, "rationale": "seen"})
        one.add_feedback(label)

    @rule(index=INDEX)
    def read_case(self, index: int) -> None:
        one = self.chosen(index)
        self.check_case(one)

    def check_case(self, one: ExpectedEvent) -> None:
        reply = self.connection.send("GET", f"/transactions/{one.reply['transaction_id']}")
        case = reply.json()
        document = one.event.document() | {"external_id": one.event.external_id}
        assert case["transaction"] == document
        assert case["prediction"]["margin"] == one.prediction.margin
        assert case["undecided"] == (one.feedback[:1] in ([], ["escalated"]))
        assert [feedback["label"] for feedback in case["feedback"]] == one.feedback
        assert (case["label"], len(case["labels"])) == (one.label, len(one.labels))

    def teardown(self) -> None:
        for one in self.expected.events if hasattr(self, "expected") else ():
            self.check_case(one)


def number(value: float) -> float | None:
    """Return a feature as replies have it: null where it is missing."""
    return None if isnan(value) else value


def agrees(reply: Mapping[str, Any], prediction: Prediction) -> None:
    """Compare the reply to a decision with a prediction, to the last bit."""
    for name in ("score", "margin", "base_value", "threshold", "risk_band", "decision"):
        assert reply[name] == getattr(prediction, name), name
    model = prediction.model
    assert reply["model"] == {"name": model.name, "version": model.version}
    assert [(one["name"], one["value"], one["contribution"]) for one in reply["top_features"]] == [
        (prediction.described.names[i], number(prediction.features[i]), prediction.contributions[i])
        for i in prediction.top_features()
    ]


def repeats(reply: Any, one: ExpectedEvent) -> None:
    """Check that a reply is the one that stored an event, but for its latency."""
    assert reply | {"latency_ms": 0} == one.reply | {"latency_ms": 0}


def explains(reply: Any, prediction: Prediction) -> None:
    """Compare an explanation with a prediction."""
    assert reply["margin"] == prediction.margin
    described = {one["name"]: (one["value"], one["contribution"]) for one in reply["features"]}
    values = zip(map(number, prediction.features), prediction.contributions, strict=True)
    assert described == dict(zip(prediction.described.names, values, strict=True))
    assert reply["reasons"]


def walk_of(connection: Connection) -> type[Walk]:
    """Return the walk of a sender, with the rules that depend on its events."""
    sender = connection.sender
    bodies, faults = sender.bodies, st.sampled_from(sender.faults)

    class WalkOfSender(Walk):
        @initialize(rows=st.lists(bodies, min_size=4, max_size=6))
        def begin_with_events(self, rows: list[Body]) -> None:
            self.begin()
            for i, body in enumerate(rows):
                self.score(body, keyed=i % 2 == 0)

        @rule(body=bodies, keyed=st.booleans())
        def score(self, body: Body, keyed: bool) -> None:
            expected = self.arrive(self.own(body, keyed=keyed))
            self.keep(expected, self.post("/score", expected.body))

        @rule(rows=st.lists(st.tuples(bodies, st.booleans()), min_size=1, max_size=4))
        def score_batch(self, rows: list[tuple[Body, bool]]) -> None:
            made: list[ExpectedEvent] = []
            for body, keyed in rows:
                own = self.own(body, keyed=keyed)
                made.append(self.arrive(own, [one.event for one in made]))
            key = f"{self.prefix}batch-{next(self.numbers)}"
            batch = {"transactions": [one.body for one in made]}
            results = self.post("/score/batch", batch, Idempotency_Key=key)["results"]
            for one, result in zip(made, results, strict=True):
                self.keep(one, result)
            again = self.post("/score/batch", batch, Idempotency_Key=key)["results"]
            assert [row["prediction_id"] for row in again] == [
                row["prediction_id"] for row in results
            ]

        @rule(index=INDEX, body=bodies)
        def score_batch_with_a_retry(self, index: int, body: Body) -> None:
            earlier = self.chosen(index, keyed=True)
            entities = {name: earlier.body[name] for name in sender.entities}
            new = self.arrive(self.own(body) | entities)
            batch = {"transactions": [earlier.body, earlier.body, new.body]}
            results = self.post("/score/batch", batch)["results"]
            for result in results[:2]:
                assert result["prediction_id"] == earlier.reply["prediction_id"]
                agrees(result, earlier.prediction)
            self.keep(new, results[2])

        @rule(index=INDEX, body=bodies)
        def retry_with_another_body(self, index: int, body: Body) -> None:
            one = self.chosen(index, keyed=True)
            key = one.body["external_id"]
            other = self.own(body) | {"external_id": key}
            if event_of(other, self.event_type).document() == one.event.document():
                return
            assert self.refused("POST", "/score", other)["type"].endswith("idempotency-mismatch")
            new = self.own(body)
            problem = self.refused("POST", "/score/batch", {"transactions": [new, other]})
            assert [e["field"] for e in problem["errors"]] == ["transactions.1.external_id"]

        @rule(body=bodies)
        def explain(self, body: Body) -> None:
            expected = self.arrive(self.own(body))
            reply = self.post("/explain", {"transaction": expected.body})
            explains(reply, expected.prediction)

        @rule(body=bodies, fault=faults)
        def send_an_invalid_body(self, body: Body, fault: Fault) -> None:
            bad = {k: v for k, v in {**body, **fault.changes}.items() if v is not None}
            for path, sent, place in (
                ("/score", bad, ""),
                ("/score/batch", {"transactions": [body, bad]}, "transactions.1."),
                ("/explain", {"transaction": bad}, "transaction."),
            ):
                problem = self.refused("POST", path, sent)
                assert [e["field"] for e in problem["errors"]] == [f"{place}{fault.field}"]

        @precondition(lambda _: bool(sender.widenings))
        @rule(index=INDEX)
        def widen(self, index: int) -> None:
            widening = sender.widenings[index % len(sender.widenings)]
            document = to_document(self.event_type)
            document["fields"] = document["fields"] | {widening.name: dict(widening.field)}
            reply = self.put_event_type(document, "", 200)
            in_force = {k: v for k, v in reply["fields"][widening.name].items() if v is not None}
            assert in_force == widening.field
            self.event_type = from_document(document)
            self.widened.add(widening.name)

        @precondition(lambda _: bool(sender.widenings))
        @rule(body=bodies, index=INDEX, keyed=st.booleans())
        def send_what_a_widening_allows(self, body: Body, index: int, keyed: bool) -> None:
            widening = sender.widenings[index % len(sender.widenings)]
            own = self.own(body, keyed=keyed) | {widening.name: widening.value}
            if widening.name in self.widened:
                expected = self.arrive(own)
                self.keep(expected, self.post("/score", own))
            else:
                problem = self.refused("POST", "/score", own)
                assert [error["field"] for error in problem["errors"]] == [widening.name]

        @precondition(lambda _: bool(sender.breaking))
        @rule(index=INDEX)
        def break_the_event_type(self, index: int) -> None:
            name, field = sender.breaking[index % len(sender.breaking)]
            document = to_document(self.event_type)
            fields = document["fields"] | {name: field}
            document["fields"] = {k: dict(v) for k, v in fields.items() if v is not None}
            problem = self.put_event_type(document, "", 422)
            assert any(e["field"].startswith(f"fields.{name}") for e in problem["errors"])
            in_force = self.connection.send("GET", "/event-type").json()
            assert in_force["fields"] == to_document(self.event_type)["fields"]

    WalkOfSender.connection = connection
    return WalkOfSender


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
def test_every_reply_of_a_walk_is_the_expected_one(shared_system: System, sender: Sender) -> None:
    run_state_machine_as_test(
        walk_of(Connection(shared_system, sender)),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A shorter walk would take minutes to find; these have 20 steps at most.
            phases=[Phase.generate],
            database=None,
        ),
    )
