"""The Python client repeats what may be repeated, and its errors say what happened."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

import sentinel_client
from sentinel_client import (
    ApiError,
    AsyncClient,
    Client,
    IdempotencyMismatch,
    InFlight,
    InvalidRequest,
    Label,
    NotFound,
    Overloaded,
    Retries,
    SentinelClientError,
    ServiceUnavailable,
    Unauthenticated,
    Unreachable,
)
from sentinel_client.testing import FakeSentinel, Fixed

PAYMENT = {"amount": 12.5, "nameOrig": "TEST-REVIEW", "external_id": "order-1"}
AT_ONCE = Retries(first_s=0)


def client_of(fake: FakeSentinel, retries: Retries = AT_ONCE) -> Client:
    return Client("http://sentinel", "a key", retries=retries, transport=fake.transport)


def replying(*responses: httpx.Response) -> Client:
    """A client whose requests get these replies, one after the other."""
    left = list(responses)
    transport = httpx.MockTransport(lambda _: left.pop(0))
    return Client("http://sentinel", "a key", retries=AT_ONCE, transport=transport)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"type": f"urn:sentinel:problem:{code}", "detail": "No.", "errors": []}
    return httpx.Response(status, json=body, headers=headers)


def test_every_public_name_is_there() -> None:
    assert [n for n in sentinel_client.__all__ if not hasattr(sentinel_client, n)] == []


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_request_is_repeated_with_the_same_key(status: int) -> None:
    fake = FakeSentinel()
    fake.fail_next(status, times=2)
    payment = {"amount": 1.0}
    assert client_of(fake).score(payment).decision == "approve"
    keys = [request.headers["Idempotency-Key"] for request in fake.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len(fake.payments) == 1


def test_a_payment_whose_reply_is_lost_is_decided_once() -> None:
    fake = FakeSentinel()
    fake.lose_next_reply()
    decision = client_of(fake).score(PAYMENT)
    assert len(fake.requests) == 2
    assert list(fake.payments) == [decision.transaction_id]


def test_feedback_and_labels_and_batches_whose_reply_is_lost_are_stored_once() -> None:
    fake = FakeSentinel()
    client = client_of(fake)
    fake.lose_next_reply()
    (decision,) = client.score_batch([{"amount": 1.0}])
    fake.lose_next_reply()
    client.give_feedback(decision.transaction_id, "false_positive", "Called.")
    fake.lose_next_reply()
    client.send_labels(
        [Label(label="fraud", source="chargeback", transaction_id=decision.transaction_id)]
    )
    assert (len(fake.payments), len(fake.feedback), len(fake.labels)) == (1, 1, 1)


def test_an_internal_error_is_repeated_once() -> None:
    fake = FakeSentinel()
    fake.fail_next(500, times=2)
    with pytest.raises(ApiError) as caught:
        client_of(fake).score(PAYMENT)
    assert len(fake.requests) == 2
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (problem(401, "unauthenticated"), Unauthenticated),
        (problem(404, "not-found"), NotFound),
        (problem(409, "in-use"), sentinel_client.Conflict),
        (problem(422, "idempotency-mismatch"), IdempotencyMismatch),
        (httpx.Response(400, text="<html>"), ApiError),
    ],
)
def test_what_cannot_succeed_is_not_repeated(
    response: httpx.Response, kind: type[ApiError]
) -> None:
    with pytest.raises(kind) as caught:
        replying(response).score(PAYMENT)
    assert caught.value.status == response.status_code


def test_the_last_error_is_raised_when_every_attempt_failed() -> None:
    fake = FakeSentinel()
    fake.fail_next(503, times=9)
    with pytest.raises(ServiceUnavailable):
        client_of(fake, Retries(attempts=3, first_s=0)).score(PAYMENT)
    assert len(fake.requests) == 3


def test_an_error_has_the_fields_the_request_id_and_the_wait() -> None:
    body = {
        "type": "urn:sentinel:problem:invalid-request",
        "detail": "Not valid: amount.",
        "errors": [{"field": "amount", "message": "must be at least 0"}],
    }
    response = httpx.Response(422, json=body, headers={"X-Request-ID": "r-1"})
    with pytest.raises(sentinel_client.InvalidRequest, match="amount: must be at least 0") as error:
        replying(response).score(PAYMENT)
    assert error.value.fields[0].field == "amount"
    assert error.value.request_id == "r-1"
    assert error.value.code == "invalid-request"


@pytest.mark.parametrize("text", ["", "[]", "null", '{"type": 3}', "\x00"])
def test_an_error_of_something_else_between_is_an_error_by_its_status(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        replying(httpx.Response(403, text=text)).score(PAYMENT)
    assert caught.value.code == ""


def test_a_success_that_is_no_reply_of_the_api_is_an_error() -> None:
    with pytest.raises(SentinelClientError, match="not that of this API"):
        replying(httpx.Response(200, text="<html>welcome</html>")).score(PAYMENT)


def test_a_connection_that_fails_is_unreachable() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    transport = httpx.MockTransport(refuse)
    client = Client("http://sentinel", "k", retries=Retries(attempts=1), transport=transport)
    with pytest.raises(Unreachable, match="POST /score: refused"):
        client.score(PAYMENT)


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(None, 0.0, 0.8), (3.0, 3.0, 3.0), (99.0, 10.0, 10.0)]
)
def test_the_wait_is_as_long_as_it_is_asked_for_within_the_bound(
    asked: float | None, least: float, most: float
) -> None:
    error = Overloaded(429, "overloaded", "", retry_after_s=asked)
    wait_s = Retries(first_s=0.2).wait_s(error, attempt=3)
    assert wait_s is not None
    assert least <= wait_s <= most


def test_a_date_to_wait_for_is_no_number_of_seconds() -> None:
    date = problem(503, "not-ready", **{"Retry-After": "Fri, 27 Nov 2026 12:00:00 GMT"})
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable) as caught:
        Client(
            "http://s", "k", retries=Retries(attempts=1),
            transport=httpx.MockTransport(lambda _: date),
        ).score(PAYMENT)  # fmt: skip
    assert caught.value.retry_after_s is None
    assert time.monotonic() - began < 5


def test_a_first_request_in_flight_is_waited_for() -> None:
    decided = FakeSentinel()
    reply = client_of(decided).score(PAYMENT)
    later = httpx.Response(200, text=reply.model_dump_json())
    assert replying(problem(409, "in-flight"), later).score(PAYMENT) == reply
    with pytest.raises(InFlight):
        replying(*[problem(409, "in-flight")] * 5).score(PAYMENT)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_s": -1}, {"longest_s": -1}])
def test_retries_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        Retries(**wrong)


def test_a_newer_api_with_more_fields_is_understood() -> None:
    reply = client_of(FakeSentinel()).score(PAYMENT).model_dump(mode="json")
    newer = reply | {"a_new_field": 1, "model": {"name": "m", "version": 2, "new": []}}
    assert replying(httpx.Response(200, json=newer)).score(PAYMENT).model.version == 2


def test_every_page_of_a_list_is_read() -> None:
    fake = FakeSentinel()
    client = client_of(fake)
    client.score_batch([{"external_id": f"p-{i}"} for i in range(120)])
    found = [one.transaction["external_id"] for one in client.transactions()]
    assert found == [f"p-{i}" for i in reversed(range(120))]


def test_a_filter_that_is_none_is_left_out_and_one_that_the_fake_lacks_is_refused() -> None:
    fake = FakeSentinel()
    client = client_of(fake)
    client.score(PAYMENT)
    assert len(list(client.transactions(account=None, external_id="order-1"))) == 1
    with pytest.raises(InvalidRequest, match="does not have the filter account"):
        list(client.transactions(account="C1"))


def test_an_explanation_of_an_empty_payment_sends_the_payment() -> None:
    fake = FakeSentinel()
    client_of(fake).explain({})
    assert json.loads(fake.requests[0].content) == {"transaction": {}}


@pytest.mark.parametrize("url", ["ftp://sentinel", "sentinel", "http://sentinel:port"])
def test_an_address_that_is_wrong_is_an_error_at_once(url: str) -> None:
    with pytest.raises(SentinelClientError) as error:
        Client(url, "a key", retries=Retries(first_s=30, longest_s=30)).score(PAYMENT)
    assert not isinstance(error.value, Unreachable)


@pytest.mark.parametrize("kind", [httpx.DecodingError, httpx.LocalProtocolError])
def test_what_would_fail_again_is_sent_once(kind: type[httpx.RequestError]) -> None:
    sent = []

    def fail(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise kind("broken", request=request)

    transport = httpx.MockTransport(fail)
    with pytest.raises(SentinelClientError, match="broken"):
        Client("http://sentinel", "a key", retries=AT_ONCE, transport=transport).score(PAYMENT)
    assert len(sent) == 1


def test_a_decision_has_the_rules_and_the_entries_that_it_met() -> None:
    scored = client_of(FakeSentinel()).score(PAYMENT).model_dump(mode="json")
    hits = {"fired": [{"id": 3, "version": 2}], "shadow": [], "snoozed": [], "failed": []}
    entries = [{"list_id": 1, "entry_id": 5, "field": "nameOrig"}]
    reply = scored | {"rules": hits, "list_entries": entries}
    decision = replying(httpx.Response(200, json=reply)).score(PAYMENT)
    assert decision.rules is not None
    assert decision.rules.fired[0].id == 3
    assert decision.list_entries is not None
    assert decision.list_entries[0].entry_id == 5


def test_the_async_client_does_the_same() -> None:
    fake = FakeSentinel(decide=lambda _: Fixed(0.9, "decline", "high"))
    fake.fail_next(503)
    fake.lose_next_reply()

    async def talk() -> None:
        async with AsyncClient(
            "http://sentinel", "k", retries=AT_ONCE, transport=fake.transport
        ) as client:
            decision = await client.score(PAYMENT)
            assert decision.decision == "decline"
            explained = await client.explain(prediction_id=decision.prediction_id)
            assert explained.score == 0.9
            found = [one.transaction_id async for one in client.transactions()]
            assert found == [decision.transaction_id]
            with pytest.raises(NotFound):
                await client.give_feedback(uuid4(), "escalated", "Unknown.")

    asyncio.run(talk())
    assert len(fake.payments) == 1


@pytest.mark.parametrize(
    "ask", [lambda c: c.explain(), lambda c: c.explain(PAYMENT, prediction_id="1")]
)
def test_an_explanation_is_of_one_thing(ask: Callable[[Client], Any]) -> None:
    with pytest.raises(ValueError, match="a payment or a prediction_id"):
        ask(client_of(FakeSentinel()))
