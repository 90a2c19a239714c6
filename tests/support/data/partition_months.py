"""Decisions of a month, and where they are stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.maintenance.partitions import Month, months_made
from persistence.tenancy import tenant_transaction
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import Rows

NOW = datetime.now(UTC)
THIS = Month.of(NOW)


def decided_in(
    engine: Engine, tenant_id: int, month: Month = THIS, *, feedback: bool = False, **changes: Any
) -> Decided:
    """Store a decision whose ids are of a month."""
    decided = decision_at(a_decision(tenant_id, **changes), starting(month.year, month.month))
    assert DecisionLog(engine).write([decided]) == [decided]
    if feedback:
        with tenant_transaction(engine, tenant_id) as connection:
            connection.execute(
                text(
                    "INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor)"
                    " VALUES (:t, :x, 'escalated', 'to see', 'tests')"
                ),
                {"t": tenant_id, "x": decided.transaction_id},
            )
    return decided


def months(engine: Engine) -> list[Month]:
    with engine.connect() as connection:
        return sorted(months_made(connection))


def starting(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


def partition_of(rows: Rows, decided: Decided) -> set[str]:
    stored = rows(
        "SELECT tableoid::regclass::text AS name FROM predictions WHERE id = :p"
        " UNION ALL SELECT tableoid::regclass::text FROM transactions WHERE id = :t",
        p=decided.prediction_id,
        t=decided.transaction_id,
    )
    return {row["name"] for row in stored}
