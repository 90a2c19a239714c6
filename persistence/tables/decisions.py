"""Transactions and what was decided about them, partitioned by month.

A unique key cannot span partitions, so the idempotency key has a table of its own. Transactions,
predictions and idempotency keys are stored by one statement and refer to each other without foreign
keys, see docs/decisions/0009-keys-of-the-decision-log.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base

FIRED = "ruling ?| ARRAY['fired', 'shadow', 'entries']"
"""Condition of the decisions in which a rule fired, also in shadow, or a list entry matched."""

WAITING = "NOT reviewed AND decision <> 'approve'"
"""Condition of the decisions that wait for an analyst, or were declined and nobody settled."""


class TransactionRow(Base):
    """An event as it was submitted. Money is float64, so that a replay is bit-identical.

    PaySim's fields have columns of their own. The fields of any other event type are in `fields`;
    those with the roles amount, payer and payee are in `amount`, `name_orig` and `name_dest` too,
    by which transactions are searched.
    """

    __tablename__ = "transactions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    external_id: Mapped[str | None]
    step: Mapped[int | None] = mapped_column(Integer, comment="hours since the tenant's epoch")
    type: Mapped[str | None]
    amount: Mapped[float | None]
    name_orig: Mapped[str | None] = mapped_column(comment="payer")
    oldbalance_org: Mapped[float | None]
    name_dest: Mapped[str | None] = mapped_column(comment="payee")
    oldbalance_dest: Mapped[float | None]
    event_type_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="version of the tenant's event type; null: PaySim's"
    )
    fields: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="value by field name; null: PaySim's columns"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(
            "CASE WHEN event_type_id IS NULL THEN num_nulls(step, type, amount, name_orig,"
            " oldbalance_org, name_dest, oldbalance_dest) = 0 ELSE fields IS NOT NULL END",
            name="fields_complete",
        ),
        Index("ix_transactions_name_orig", "tenant_id", "name_orig", text("id DESC")),
        Index("ix_transactions_name_dest", "tenant_id", "name_dest", text("id DESC")),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class PredictionRow(Base):
    """A decision on a transaction with its score, explanation and policy, as decided.

    Features and contributions are documents for PaySim's transactions and arrays for events of any
    other type (docs/decisions/0017-values-of-features.md).
    """

    __tablename__ = "predictions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    transaction_id: Mapped[UUID]
    model_name: Mapped[str]
    model_version: Mapped[int] = mapped_column(Integer)
    score: Mapped[float] = mapped_column(comment="calibrated probability of fraud")
    margin: Mapped[float] = mapped_column(comment="log-odds")
    base_value: Mapped[float] = mapped_column(comment="log-odds")
    raw_probability: Mapped[float] = mapped_column(comment="before calibration")
    threshold: Mapped[float] = mapped_column(comment="the policy's, at scoring")
    decline_threshold: Mapped[float | None] = mapped_column(
        comment="the policy's, at scoring; null: the model declines nothing"
    )
    policy_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="the tenant's policy; null: the version's own"
    )
    risk_band: Mapped[str]
    decision: Mapped[str]
    approval_probability: Mapped[float | None] = mapped_column(
        comment="of a would-be review by chance; null: chance had no part"
    )
    features: Mapped[dict[str, Any]] = mapped_column(
        comment="feature name to value; empty: in feature_values"
    )
    contributions: Mapped[dict[str, Any]] = mapped_column(
        comment="feature name to log-odds; empty: in contribution_values"
    )
    feature_values: Mapped[list[float] | None] = mapped_column(
        comment="features in the order of the version; null: in features"
    )
    contribution_values: Mapped[list[float] | None] = mapped_column(
        comment="log-odds in the order of the version; null: in contributions"
    )
    ruling: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="number of the change in force, what decided, what fired; null: no rules, no lists",
    )
    latency_ms: Mapped[float] = mapped_column(
        comment="from the request's arrival until the row was handed to Postgres"
    )
    unread_windows: Mapped[list[str] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="windows that could not be read, and were missing; null: all were read",
    )
    drained_at: Mapped[datetime | None] = mapped_column(
        comment="when it came from the journal of a process; null: stored before its reply"
    )
    reviewed: Mapped[bool] = mapped_column(
        server_default=false(), comment="an analyst has decided; all that ever changes here"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "model_name", "model_version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
        ),
        ForeignKeyConstraint(["tenant_id", "policy_id"], ["policies.tenant_id", "policies.id"]),
        CheckConstraint("score >= 0 AND score <= 1", name="score_is_probability"),
        CheckConstraint("risk_band IN ('low', 'medium', 'high')", name="risk_band_known"),
        CheckConstraint("decision IN ('approve', 'review', 'decline')", name="decision_known"),
        Index("ix_predictions_transaction", "tenant_id", "transaction_id"),
        Index(
            "ix_predictions_decision",
            "tenant_id",
            "reviewed",
            "decision",
            "risk_band",
            text("score DESC"),
            text("id DESC"),
        ),
        Index("ix_predictions_fired", "tenant_id", "id", postgresql_where=text(FIRED)),
        Index(
            "ix_predictions_waiting",
            *("tenant_id", "decision", "risk_band", "id"),
            postgresql_where=text(WAITING),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class ShadowScoreRow(Base):
    """The score of the model that did not decide; telemetry, dropped with its month."""

    __tablename__ = "shadow_scores"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    prediction_id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    model_name: Mapped[str] = mapped_column(primary_key=True)
    model_version: Mapped[int] = mapped_column(Integer, primary_key=True)
    margin: Mapped[float] = mapped_column(comment="log-odds")
    score: Mapped[float] = mapped_column(comment="calibrated probability of fraud")
    threshold: Mapped[float] = mapped_column(comment="the policy's, at scoring")
    decision: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("score >= 0 AND score <= 1", name="score_is_probability"),
        CheckConstraint("decision IN ('approve', 'review', 'decline')", name="decision_known"),
        {"postgresql_partition_by": "RANGE (prediction_id)"},
    )


class IdempotencyKeyRow(Base):
    """An `external_id` with the decision that is returned for it."""

    __tablename__ = "idempotency_keys"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_digest: Mapped[bytes] = mapped_column(comment="SHA-256 of the canonical transaction")
    prediction_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
