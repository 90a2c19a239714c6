"""Analysts' feedback and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class FeedbackRow(Base):
    """An analyst's label of a transaction; all are stored and the latest counts."""

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
    """A change with its actor; only triggers write the table."""

    __tablename__ = "audit_log"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(comment="such as key.created")
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]

    __table_args__ = (Index("ix_audit_log_action", "tenant_id", "action", text("id DESC")),)
