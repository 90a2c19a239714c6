"""What a batch is made of, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

from observability.request_id import Origin
from scoring.errors import SentinelError
from scoring.transaction import Transaction
from serving.batching.telemetry import BatchReport
from serving.deployment.assignment import ModelAssignment


@dataclass(frozen=True, slots=True)
class Item:
    """One request in a batch. It carries its tenant, since a batch holds several tenants' requests.

    Attributes:
        tenant_id: tenant whose rows are written.
        assignment: models and policy that decide, resolved once for the whole request.
        transactions: at least one; more than one are stored together or not at all.
        arrived_s: `perf_counter()` when the request arrived.
        origin: id and span of the request, for the log and the traces.
        queued_s: `perf_counter()` when the item began to wait for its batch.
    """

    tenant_id: int
    assignment: ModelAssignment
    transactions: Sequence[Transaction]
    arrived_s: float
    origin: Origin
    queued_s: float = field(default_factory=perf_counter)


Answer = list[bytes] | SentinelError
"""An item's decisions in its order, rendered, or its own error: a raised exception would fail every
other item of the batch."""


class AnsweredBatch(NamedTuple):
    """The answers of a batch, in the items' order, and the report to write after them."""

    answers: Sequence[Any]
    report: BatchReport
