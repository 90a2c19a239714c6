"""What waits for a batch, and what a batch answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from observability.request_id import Origin
from scoring.errors import SentinelError
from scoring.transaction import Transaction
from serving.deployment.assignment import ModelAssignment


@dataclass(frozen=True, slots=True)
class Item:
    """One request in a batch. It carries its tenant: batch-mates belong to others.

    Attributes:
        tenant_id: whose rows are written.
        assignment: who decides, resolved once for the whole request.
        transactions: at least one; more than one is stored whole or not at all.
        arrived_s: `perf_counter()` when the request arrived.
        origin: the request, for the log and the traces.
        queued_s: `perf_counter()` when the item was made, to wait for its batch.
    """

    tenant_id: int
    assignment: ModelAssignment
    transactions: Sequence[Transaction]
    arrived_s: float
    origin: Origin
    queued_s: float = field(default_factory=perf_counter)


Answer = list[bytes] | SentinelError
"""An item's decisions in its order, rendered, or its own error: an exception would fail its
batch-mates."""
