"""The calls of the API as values: what both clients send, and how they read the reply."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from sentinel_client.errors import SentinelClientError, error_of
from sentinel_client.replies import (
    Decision,
    DecisionPage,
    Decisions,
    Explanation,
    Feedback,
    FeedbackLabel,
    Label,
    StoredLabels,
)
from sentinel_client.version import __version__

Payment = Mapping[str, Any]
"""Fields of the tenant's event type by name, and `external_id`; PaySim's by default."""
Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Reply]):
    """A request, the same for each attempt.

    Attributes:
        method: HTTP method.
        path: path below the service's address.
        reply: type of a successful reply.
        body: JSON body; None: none.
        params: query parameters.
        headers: further headers.
    """

    method: str
    path: str
    reply: type[Reply]
    body: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, response: httpx.Response) -> Reply:
        """Return the reply.

        Raises:
            ApiError: the reply is an error.
            SentinelClientError: the reply is a success that is not one of this call.
        """
        if not response.is_success:
            raise error_of(response)
        try:
            return self.reply.model_validate_json(response.content)
        except ValidationError as error:
            raise SentinelClientError(
                f"{self.method} {self.path}: the reply is not that of this API: {error}"
            ) from error


def address_of(url: str) -> httpx.URL:
    """Return the address of a service.

    Raises:
        SentinelClientError: it is no URL.
    """
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SentinelClientError(f"{url}: {error}") from error


def headers_of(key: str) -> dict[str, str]:
    """Return the headers of every request with an API key."""
    return {"Authorization": f"Bearer {key}", "User-Agent": f"sentinel-client/{__version__}"}


def score(payment: Payment) -> Call[Decision]:
    """Return the call that decides a payment; without an `external_id` it gets a random key."""
    headers = {} if payment.get("external_id") else _fresh_key()
    return Call("POST", "/score", Decision, dict(payment), headers=headers)


def score_batch(payments: Sequence[Payment], key: str | None) -> Call[Decisions]:
    """Return the call that decides 1 to 1000 payments, all or none."""
    headers = {"Idempotency-Key": key} if key else _fresh_key()
    body = {"transactions": [dict(one) for one in payments]}
    return Call("POST", "/score/batch", Decisions, body, headers=headers)


def explain(payment: Payment | None, prediction_id: UUID | str | None) -> Call[Explanation]:
    """Return the call that explains a payment or a stored decision."""
    if (payment is None) == (prediction_id is None):
        raise ValueError("give a payment or a prediction_id")
    body: dict[str, Any] = {"prediction_id": str(prediction_id)}
    if payment is not None:
        body = {"transaction": dict(payment)}
    return Call("POST", "/explain", Explanation, body)


def send_labels(labels: Sequence[Label]) -> Call[StoredLabels]:
    """Return the call that stores 1 to 1000 labels, all or none."""
    rows = [one.model_dump(mode="json", exclude_none=True) for one in labels]
    return Call("POST", "/labels", StoredLabels, {"labels": rows}, headers=_fresh_key())


def give_feedback(
    transaction_id: UUID | str, label: FeedbackLabel, rationale: str
) -> Call[Feedback]:
    """Return the call that stores an analyst's feedback."""
    body = {"label": label, "rationale": rationale}
    path = f"/transactions/{UUID(str(transaction_id))}/feedback"
    return Call("POST", path, Feedback, body, headers=_fresh_key())


def transactions(filters: Mapping[str, Any], cursor: str | None) -> Call[DecisionPage]:
    """Return the call of a page of the search; the filters are those of `GET /transactions`.

    A filter that is None is left out.
    """
    given = {
        "from" if name == "from_" else name: _text(value)
        for name, value in filters.items()
        if value is not None
    }
    return Call("GET", "/transactions", DecisionPage, params=given | _at(cursor))


def _at(cursor: str | None) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _text(value: Any) -> str:  # noqa: ANN401 - any value of a filter
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _fresh_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
