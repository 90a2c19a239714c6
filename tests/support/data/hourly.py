"""The figures of a tenant's decisions, counted one by one from what is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from sqlalchemy import Engine, text

from persistence.hourly.counts import KINDS
from persistence.hourly.reading import Figures
from persistence.labels.history import label_history
from persistence.tenancy import tenant_transaction
from scoring.labels import effective_label

_ROWS = text(
    """
    SELECT p.id, p.transaction_id, uuid_extract_timestamp(p.id) AS at, p.decision, p.risk_band,
        p.reviewed, p.score, p.latency_ms, t.amount, t.type
    FROM predictions p JOIN transactions t ON t.id = p.transaction_id
    WHERE p.tenant_id = :tenant_id ORDER BY p.id
    """
)


@dataclass
class Counted:
    """What `read_figures` should find."""

    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    amount: float = 0.0
    frauds: Counter[str] = field(default_factory=Counter)
    fraud_amount: float = 0.0
    honest: Counter[str] = field(default_factory=Counter)
    types: Counter[str | None] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    waiting_amount: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    oldest: datetime | None = None


def count_all(engine: Engine, tenant_id: int) -> Counted:
    """Count every decision of a tenant."""
    found = Counted()
    with tenant_transaction(engine, tenant_id) as connection:
        for row in connection.execute(_ROWS, {"tenant_id": tenant_id}).all():
            found.decisions[row.decision, row.risk_band] += 1
            found.amount += row.amount
            found.types[row.type] += 1
            label = effective_label(label_history(connection, tenant_id, row.transaction_id))
            if label and label.label == "fraud":
                found.frauds[row.decision] += 1
                found.fraud_amount += row.amount
            elif label and label.label == "legitimate":
                found.honest[row.decision] += 1
            if row.decision == "review" and not row.reviewed:
                found.waiting[row.risk_band] += 1
                found.waiting_amount[row.risk_band] += row.amount
                found.oldest = found.oldest or row.at
    return found


def assert_same(figures: Figures, counted: Counted) -> None:
    """Compare figures of all time with what was counted one by one."""
    total = figures.total
    of_kind = dict(zip(KINDS, total.decisions, strict=True))
    assert {kind: n for kind, n in of_kind.items() if n} == dict(counted.decisions)
    assert sum(total.amounts) == pytest.approx(counted.amount)
    decisions = sum(counted.decisions.values())
    assert sum(total.scores) == sum(total.latencies) == decisions
    assert sum(sum(part) for part in figures.parts.values()) == decisions
    assert sum(sum(day) for day in figures.hours_of_week) == decisions
    for name, expected in (("frauds", counted.frauds), ("honest", counted.honest)):
        by_outcome: Counter[str] = Counter()
        for (outcome, _), n in zip(KINDS, getattr(total, name), strict=True):
            by_outcome[outcome] += n
        assert +by_outcome == expected, name
        assert min(getattr(total, name)) >= 0
    assert sum(total.fraud_amounts) == pytest.approx(counted.fraud_amount)
    kept = {value: count.decisions for value, count in figures.categories["type"]}
    assert kept == dict(counted.types)
    waiting = {band: one.count for band, one in figures.waiting.items() if one.count}
    assert waiting == dict(counted.waiting)
    for band, one in figures.waiting.items():
        assert one.amount == pytest.approx(counted.waiting_amount[band])
    assert figures.oldest == counted.oldest
    assert not figures.lacks_labels
    assert figures.left_since is None
