"""Labels of stored decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.decisions.rows import Decided
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from scoring.labels import LabelSource, LabelValue

BACK_OFFICE = Actor("back office", "key k3Jd82mQpz")


def a_label(
    decision: Decided,
    label: LabelValue = "fraud",
    source: LabelSource = "chargeback",
    occurred_at: datetime | None = None,
    **changes: Any,
) -> NewLabel:
    """A label of a decision, not stored yet; without a time it became known now."""
    at = occurred_at or datetime.now(UTC)
    return NewLabel(None, decision.transaction_id, label, source, at, **changes)


def report(engine: Engine, decision: Decided, *args: Any, **changes: Any) -> None:
    """Store `a_label` of a stored decision."""
    label = a_label(decision, *args, **changes)
    with tenant_transaction(engine, decision.tenant_id, actor=BACK_OFFICE) as connection:
        assert store_labels(connection, decision.tenant_id, [label], BACK_OFFICE).unknown == []
