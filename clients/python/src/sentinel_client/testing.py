"""A fake of the API for the tests of programs that use the client.

    fake = FakeSentinel()
    client = Client("http://sentinel", "a key", transport=fake.transport)
    fake.decide = lambda payment: Fixed(0.93, "review")
    fake.fail_next(503)          # the client repeats the request
    fake.lose_next_reply()       # the payment is decided, the connection breaks

It keeps what it is sent and answers as the API does: the same `external_id` with the same payment
has the same decision, and with another payment is refused. It validates no field, and of
the filters of a search it has `external_id`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from sentinel_client.calls import Payment
from sentinel_client.replies import Outcome, RiskBand

_LOST = 0
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Fixed:
    """A decision that a test wants.

    Attributes:
        score: probability of fraud.
        decision: outcome.
        risk_band: band.
    """

    score: float
    decision: Outcome
    risk_band: RiskBand = "medium"


APPROVED = Fixed(0.0025, "approve", "low")
_TESTS = {
    "TEST-APPROVE": APPROVED,
    "TEST-REVIEW": Fixed(0.18, "review", "medium"),
    "TEST-HIGH": Fixed(0.95, "review", "high"),
}


def as_the_sandbox(payment: Payment) -> Fixed:
    """Return what a tenant in test mode is answered; other payers are approved."""
    return _TESTS.get(str(payment.get("nameOrig")), APPROVED)


@dataclass
class FakeSentinel:
    """An API in memory.

    Attributes:
        decide: function that decides a payment.
        payments: stored payments by `transaction_id`, in order.
        labels: labels as they were sent.
        feedback: feedback as it was sent, with its `transaction_id`.
        requests: every request that arrived.
    """

    decide: Callable[[Payment], Fixed] = as_the_sandbox
    payments: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    labels: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    _decisions: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    _by_external_id: dict[str, UUID] = field(default_factory=dict)
    _by_key: dict[str, tuple[bytes, httpx.Response]] = field(default_factory=dict)
    _faults: deque[int] = field(default_factory=deque)

    @property
    def transport(self) -> httpx.MockTransport:
        """The transport that a `Client` or an `AsyncClient` takes."""
        return httpx.MockTransport(self._answer)

    def fail_next(self, status: int, times: int = 1) -> None:
        """Answer the next requests with an error, and do nothing."""
        self._faults.extend([status] * times)

    def lose_next_reply(self) -> None:
        """Carry out the next request, and break the connection before its reply."""
        self._faults.append(_LOST)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = self._faults.popleft() if self._faults else None
        if fault:
            return _problem(fault, "internal" if fault == 500 else "fault", "A fault of the test.")
        response = self._once(request)
        if fault == _LOST:
            raise httpx.ReadError("the connection broke", request=request)
        return response

    def _once(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return self._route(request)
        if key in self._by_key:
            body, response = self._by_key[key]
            if body == request.content:
                return response
            return _problem(422, "idempotency-mismatch", "The key was used with another request.")
        response = self._route(request)
        if response.is_success:
            self._by_key[key] = (request.content, response)
        return response

    def _route(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        match [request.method, *request.url.path.strip("/").split("/")]:
            case ["POST", "score"]:
                return self._score([body], lambda results: results[0])
            case ["POST", "score", "batch"]:
                wrap = {"total_latency_ms": 1.0}
                return self._score(
                    body["transactions"], lambda results: {"results": results} | wrap
                )
            case ["POST", "explain"]:
                return self._explain(body)
            case ["POST", "labels"]:
                return self._store_labels(body["labels"])
            case ["POST", "transactions", identifier, "feedback"]:
                return self._store_feedback(UUID(identifier), body)
            case ["GET", "transactions"]:
                return self._page(request.url.params)
        return _problem(404, "not-found", "The fake does not have this route.")

    def _score(
        self, payments: list[dict[str, Any]], shape: Callable[[list[Any]], Any]
    ) -> httpx.Response:
        for payment in payments:
            stored = self._by_external_id.get(payment.get("external_id") or "")
            if stored is not None and self.payments[stored] != payment:
                return _problem(
                    422, "idempotency-mismatch", "The external_id was used with another payment."
                )
        return httpx.Response(200, json=shape([self._decided(payment) for payment in payments]))

    def _decided(self, payment: dict[str, Any]) -> dict[str, Any]:
        external_id = payment.get("external_id")
        if external_id in self._by_external_id:
            return self._decisions[self._by_external_id[external_id]]
        identifier = uuid4()
        fixed = self.decide(payment)
        self.payments[identifier] = payment
        if external_id:
            self._by_external_id[external_id] = identifier
        self._decisions[identifier] = {
            **_scored(fixed),
            "transaction_id": str(identifier),
            "prediction_id": str(uuid4()),
            "top_features": [],
            "latency_ms": 1.0,
        }
        return self._decisions[identifier]

    def _explain(self, body: dict[str, Any]) -> httpx.Response:
        scored: dict[str, Any] | None
        if "transaction" in body:
            scored = _scored(self.decide(body["transaction"])) | {"prediction_id": None}
        else:
            decisions = self._decisions.values()
            asked = body["prediction_id"]
            scored = next((one for one in decisions if one["prediction_id"] == asked), None)
        if scored is None:
            return _problem(404, "not-found", "There is no such prediction.")
        explained = {"raw_probability": scored["score"], "features": [], "reasons": []}
        return httpx.Response(200, json=scored | explained)

    def _store_labels(self, labels: list[dict[str, Any]]) -> httpx.Response:
        stored: list[dict[str, Any]] = []
        for label in labels:
            known = self._by_external_id.get(label.get("external_id", ""))
            identifier = UUID(label["transaction_id"]) if "transaction_id" in label else known
            if identifier not in self.payments:
                return _problem(404, "not-found", "There is no such event.")
            stored.append(
                {
                    "id": len(self.labels) + len(stored) + 1,
                    "transaction_id": str(identifier),
                    "label": label["label"],
                    "source": label["source"],
                    "reversed": label.get("reversed", False),
                    "occurred_at": label.get("occurred_at") or _now(),
                    "amount_lost": label.get("amount_lost"),
                    "effective_label": label["label"],
                }
            )
        self.labels += labels
        return httpx.Response(201, json={"labels": stored})

    def _store_feedback(self, identifier: UUID, body: dict[str, Any]) -> httpx.Response:
        if identifier not in self.payments:
            return _problem(404, "not-found", "There is no such transaction.")
        self.feedback.append(body | {"transaction_id": str(identifier)})
        own = {"id": len(self.feedback), "actor": "test", "created_at": _now()}
        return httpx.Response(201, json=body | own)

    def _page(self, params: httpx.QueryParams) -> httpx.Response:
        if unknown := sorted(set(params) - {"external_id", "cursor"}):
            return _problem(
                422, "invalid-request", f"The fake does not have the filter {', '.join(unknown)}."
            )
        wanted = params.get("external_id")
        newest_first = [
            identifier
            for identifier, payment in reversed(self.payments.items())
            if wanted is None or payment.get("external_id") == wanted
        ]
        start = int(params.get("cursor", 0))
        page = newest_first[start : start + _PAGE]
        more = start + _PAGE < len(newest_first)
        items = [
            {key: value for key, value in self._decisions[one].items() if key != "top_features"}
            | {"transaction": self.payments[one], "decided_at": _now()}
            | {"reasons": [], "undecided": True}
            for one in page
        ]
        cursor = str(start + _PAGE) if more else None
        return httpx.Response(200, json={"items": items, "next_cursor": cursor})


def _scored(fixed: Fixed) -> dict[str, Any]:
    return {
        "score": fixed.score,
        "risk_band": fixed.risk_band,
        "decision": fixed.decision,
        "threshold": 0.05,
        "base_value": 0.0,
        "margin": 0.0,
        "model": {"name": "fake", "version": 1},
    }


def _problem(status: int, code: str, detail: str) -> httpx.Response:
    problem = {"type": f"urn:sentinel:problem:{code}", "title": code, "status": status}
    headers = {"Content-Type": "application/problem+json", "X-Request-ID": "fake"}
    return httpx.Response(status, json=problem | {"detail": detail}, headers=headers)


def _now() -> str:
    return datetime.now(UTC).isoformat()
