"""The tables. Migrations create them; a test holds the two equal.

`transactions`, `predictions` and `shadow_scores` are partitioned by month, see
`persistence/partitions.py`; a unique key cannot span partitions, so the idempotency key has a table
of its own. Transactions, predictions and idempotency keys are stored by one statement and refer to
each other without foreign keys, see docs/decisions/0009-keys-of-the-decision-log.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The metadata that Alembic compares with the database."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's declared form
        str: Text,
        float: Double,
        datetime: DateTime(timezone=True),
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class TenantRow(Base):
    """A bank or payment company that shares the deployment."""

    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    model_name: Mapped[str] = mapped_column(comment="registered model in MLflow")
    is_test: Mapped[bool] = mapped_column(
        server_default=false(), comment="fixed test transactions are answered without a model"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("slug ~ '^[a-z][a-z0-9-]{1,39}$'", name="slug_form"),)


class ApiKeyRow(Base):
    """An API key: its public prefix and the keyed hash of the whole; never the key."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), index=True)
    prefix: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[bytes] = mapped_column(comment="HMAC-SHA256 of the key")
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None] = mapped_column(comment="to the minute")

    __table_args__ = (
        CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['score', 'review', 'admin']",
            name="scopes_known",
        ),
    )


class ModelVersionRow(Base):
    """A registered model version that has served a tenant."""

    __tablename__ = "model_versions"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    policy: Mapped[dict[str, Any]] = mapped_column(comment="cost model, threshold, bands")
    calibrator_kind: Mapped[str]
    first_served_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProductionVersionRow(Base):
    """The version that serves a tenant now, as the service last saw it promoted."""

    __tablename__ = "production_versions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
        ),
    )


class ChallengerVersionRow(Base):
    """The version that scores a tenant's payments beside the one in production."""

    __tablename__ = "challenger_versions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    canary_percent: Mapped[float] = mapped_column(comment="share of accounts it decides for, 0-100")
    since: Mapped[datetime] = mapped_column(
        server_default=func.now(), comment="when the version became the challenger"
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
        ),
        CheckConstraint("canary_percent BETWEEN 0 AND 100", name="canary_percent_in_range"),
    )


class RefusalRow(Base):
    """A registered version that must not serve a tenant, and why."""

    __tablename__ = "refusals"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    registered_ms: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="Unix ms; tells a version from one registered anew under its number",
    )
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class PolicyRow(Base):
    """A tenant's own policy, which overrides its versions' until it is withdrawn; never changed."""

    __tablename__ = "policies"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    policy: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="cost model, threshold, bands; null: each version's own again",
    )
    actor: Mapped[str] = mapped_column(comment="public prefix of the API key")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(
            "policy IS NULL OR coalesce("
            "(policy->>'threshold')::float8 > 0 AND (policy->>'high_from')::float8 < 1"
            " AND (policy->>'threshold')::float8 <= (policy->>'high_from')::float8, false)",
            name="policy_in_range",
        ),
    )


class TransactionRow(Base):
    """A transaction as it was submitted. Money is float64, so that a replay is bit-identical."""

    __tablename__ = "transactions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    external_id: Mapped[str | None]
    step: Mapped[int] = mapped_column(Integer, comment="hours since the tenant's epoch")
    type: Mapped[str]
    amount: Mapped[float]
    name_orig: Mapped[str]
    oldbalance_org: Mapped[float]
    name_dest: Mapped[str]
    oldbalance_dest: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index("ix_transactions_name_orig", "tenant_id", "name_orig", text("id DESC")),
        Index("ix_transactions_name_dest", "tenant_id", "name_dest", text("id DESC")),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class PredictionRow(Base):
    """What was decided about a transaction, and why, at the moment it was decided."""

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
    policy_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="the tenant's policy; null: the version's own"
    )
    risk_band: Mapped[str]
    decision: Mapped[str]
    features: Mapped[dict[str, Any]] = mapped_column(comment="feature name to value")
    contributions: Mapped[dict[str, Any]] = mapped_column(comment="feature name to log-odds")
    latency_ms: Mapped[float] = mapped_column(
        comment="from the request's arrival until the row was handed to Postgres"
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
        CheckConstraint("decision IN ('approve', 'review')", name="decision_known"),
        Index("ix_predictions_transaction", "tenant_id", "transaction_id"),
        Index(
            "ix_predictions_worklist",
            "tenant_id",
            "reviewed",
            "risk_band",
            text("score DESC"),
            text("id DESC"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class ShadowScoreRow(Base):
    """What the model that did not decide would have said; telemetry, dropped with its month."""

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
        CheckConstraint("decision IN ('approve', 'review')", name="decision_known"),
        {"postgresql_partition_by": "RANGE (prediction_id)"},
    )


class IdempotencyKeyRow(Base):
    """The claim of one `external_id`: which decision answers it."""

    __tablename__ = "idempotency_keys"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_digest: Mapped[bytes] = mapped_column(comment="SHA-256 of the canonical transaction")
    prediction_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FeedbackRow(Base):
    """What an analyst decided about a transaction; the latest one counts, all are kept."""

    __tablename__ = "feedback"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    transaction_id: Mapped[UUID]
    label: Mapped[str]
    rationale: Mapped[str]
    actor: Mapped[str] = mapped_column(comment="public prefix of the API key")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "transaction_id"], ["transactions.tenant_id", "transactions.id"]
        ),
        CheckConstraint(
            "label IN ('confirmed_fraud', 'false_positive', 'escalated')", name="label_known"
        ),
        Index("ix_feedback_transaction", "tenant_id", "transaction_id", text("id DESC")),
    )


class AuditRow(Base):
    """Who changed what, written by triggers and by nothing else."""

    __tablename__ = "audit_log"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(comment="such as key.created")
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]

    __table_args__ = (Index("ix_audit_log_action", "tenant_id", "action", text("id DESC")),)
