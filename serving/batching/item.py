"""The items of a batch and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

from observability.request_id import Origin
from persistence.idempotency import KeyedRequest
from scoring.errors import SentinelError
from scoring.event import AnyEvent
from serving.batching.telemetry import BatchReport
from serving.deployment.assignment import ModelAssignment
from serving.responses import Answered


@dataclass(frozen=True, slots=True)
class Item:
    """One request in a batch, with its tenant, since a batch holds requests of several tenants.

    Attributes:
        tenant_id: tenant whose rows are written.
        assignment: models and policy that decide, resolved once for the whole request.
        transactions: events to decide, at least one; all of them are stored, or none.
        arrived_s: `perf_counter()` at the arrival of the request.
        origin: id and span of the request, for the log and the traces.
        queued_s: `perf_counter()` at the start of the wait for the batch.
        request: idempotency key of the whole request and digest of its rows; None without a key.
    """

    tenant_id: int
    assignment: ModelAssignment
    transactions: Sequence[AnyEvent]
    arrived_s: float
    origin: Origin
    queued_s: float = field(default_factory=perf_counter)
    request: KeyedRequest | None = None


Answer = Answered | SentinelError
"""The decisions of an item or its error. An error is returned, not raised: an exception would fail
every other item of the batch."""


class AnsweredBatch(NamedTuple):
    """The answers of a batch, in the order of its items, and the report to write after them."""

    answers: Sequence[Any]
    report: BatchReport
