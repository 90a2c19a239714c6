"""Decisions to review, and what the tests of reviewing do with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.review.cases import Case
from persistence.review.worklist import (
    add_feedback,
)
from persistence.tenants import Tenant
from persistence.uuid7 import unix_ms_of
from scoring.policy import CostModel, Policy
from tests.support.factories import a_decision

POLICY = Policy.at(0.05, CostModel())
NOW = datetime.now(UTC)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def decide(tenant: Tenant, score: float = 0.2, **transaction: Any) -> Decided:
    """A decision whose band and decision follow from its score."""
    decision = a_decision(tenant.id, score, **transaction)
    prediction = decision.prediction._replace(
        risk_band=POLICY.risk_band(score), decision=POLICY.decide(score)
    )
    return decision._replace(prediction=prediction)


def at(decision: Decided, moment: datetime) -> Decided:
    """The same decision, made at another time."""
    shift = ms(moment) - unix_ms_of(decision.transaction_id) << 80
    return decision._replace(
        transaction_id=UUID(int=decision.transaction_id.int + shift),
        prediction_id=UUID(int=decision.prediction_id.int + shift),
    )


def store(engine: Engine, *decisions: Decided) -> None:
    assert DecisionLog(engine).write(decisions) == list(decisions)


def ids(cases: list[Case]) -> list[UUID]:
    return [case.decided.transaction_id for case in cases]


def say(engine: Engine, decision: Decided, label: Any, rationale: str = "seen") -> None:
    add_feedback(
        engine,
        decision.tenant_id,
        decision.transaction_id,
        label=label,
        rationale=rationale,
        actor="analyst",
    )
