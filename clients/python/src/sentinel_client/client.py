"""The client of programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any
from uuid import UUID

import httpx

from sentinel_client import calls
from sentinel_client.calls import Call, Payment, Reply
from sentinel_client.errors import SentinelClientError, error_without_reply
from sentinel_client.replies import (
    Decision,
    Explanation,
    Feedback,
    FeedbackLabel,
    Label,
    StoredDecision,
    StoredLabel,
)
from sentinel_client.retries import Retries


class Client:
    """A client of one tenant; safe to use from several threads.

    Every method raises SentinelClientError (`sentinel_client.errors` has the tree).

    Args:
        url: address of the service.
        key: API key.
        timeout_s: seconds for each of connecting, sending and every read of an attempt; the service
            ends a request after 10.
        retries: how often a request is repeated.
        transport: transport of httpx, such as that of `sentinel_client.testing`; None: the network.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_s: float = 15.0,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._http = httpx.Client(
            base_url=calls.address_of(url),
            headers=calls.headers_of(key),
            timeout=timeout_s,
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def score(self, payment: Payment) -> Decision:
        """Decide a payment. With an `external_id` the same payment always has the same decision."""
        return self._send(calls.score(payment))

    def score_batch(self, payments: Sequence[Payment], *, key: str | None = None) -> list[Decision]:
        """Decide 1 to 1000 payments in order, all or none.

        Args:
            payments: payments.
            key: key of the batch as a whole; None: a random one, for this call alone.
        """
        return self._send(calls.score_batch(payments, key)).results

    def explain(
        self, payment: Payment | None = None, *, prediction_id: UUID | str | None = None
    ) -> Explanation:
        """Explain a payment, which is not stored, or a stored decision."""
        return self._send(calls.explain(payment, prediction_id))

    def send_labels(self, labels: Sequence[Label]) -> list[StoredLabel]:
        """Store what 1 to 1000 events turned out to be, all or none."""
        return self._send(calls.send_labels(labels)).labels

    def give_feedback(
        self, transaction_id: UUID | str, label: FeedbackLabel, rationale: str
    ) -> Feedback:
        """Store what an analyst decided about a payment, and why."""
        return self._send(calls.give_feedback(transaction_id, label, rationale))

    def transactions(self, **filters: Any) -> Iterator[StoredDecision]:  # noqa: ANN401
        """Yield stored decisions that match the filters of `GET /transactions`, page by page.

        Args:
            filters: filters by name, such as `account="C1"`; `from_` stands for `from`.
        """
        cursor = None
        while True:
            page = self._send(calls.transactions(filters, cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _send(self, call: Call[Reply]) -> Reply:
        attempt = 1
        while True:
            try:
                return self._attempt(call)
            except SentinelClientError as error:
                wait_s = self._retries.wait_s(error, attempt)
                if wait_s is None:
                    raise
            time.sleep(wait_s)
            attempt += 1

    def _attempt(self, call: Call[Reply]) -> Reply:
        try:
            response = self._http.request(
                call.method, call.path, json=call.body, params=call.params, headers=call.headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise error_without_reply(call.method, call.path, error) from error
        return call.read(response)
