"""Decisions to review, feedback on them, and the model version that made them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.review.cases import Case
from persistence.review.worklist import (
    add_feedback,
)
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.factories import a_decision

POLICY = Policy.at(0.05, CostModel())
FIRST = ModelVersion("fraud-demo", 1)
NOW = datetime.now(UTC)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def decide(
    tenant: Tenant, score: float = 0.2, model: ModelVersion = FIRST, **transaction: Any
) -> Decided:
    """A decision, not stored yet, whose band and outcome follow from its score at `POLICY`."""
    decision = a_decision(tenant.id, score, **transaction)
    prediction = decision.prediction._replace(
        risk_band=POLICY.risk_band(score), decision=POLICY.decide(score), model=model
    )
    return decision._replace(prediction=prediction)


def store(engine: Engine, *decisions: Decided) -> None:
    assert DecisionLog(engine).write(decisions) == list(decisions)


def ids(cases: list[Case]) -> list[UUID]:
    return [case.decided.transaction_id for case in cases]


ANALYST = Actor("analyst", "key k3Jd82mQpz")


def say(engine: Engine, decision: Decided, label: Any, rationale: str = "seen") -> None:
    with tenant_transaction(engine, decision.tenant_id, actor=ANALYST) as connection:
        add_feedback(
            connection,
            decision.tenant_id,
            decision.transaction_id,
            label=label,
            rationale=rationale,
            actor=ANALYST,
        )
