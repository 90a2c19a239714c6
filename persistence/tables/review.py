"""Analysts' feedback, the audit log and the access log."""

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
    actor: Mapped[str] = mapped_column(comment="name of the API key")
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


class ReviewAssignmentRow(Base):
    """Who works on a transaction: for a while, by looking at it, or until it is given away."""

    __tablename__ = "review_assignments"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    until: Mapped[datetime | None] = mapped_column(
        comment="end of a claim by looking at it; null: assigned"
    )

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        Index("ix_review_assignments_user", "tenant_id", "user_id"),
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
    via: Mapped[str | None] = mapped_column(
        comment="key and its prefix, mlflow, or a command; null: a part of the product"
    )
    object: Mapped[str | None] = mapped_column(comment="what changed, such as keys/k3Jd82mQpz")

    __table_args__ = tuple(
        Index(f"ix_audit_log_{name}", "tenant_id", *columns, text("at DESC"), text("id DESC"))
        for name, columns in (
            ("at", ()),
            ("action", ("action",)),
            ("actor", ("actor",)),
            ("object", ("object",)),
        )
    )


class AccessRow(Base):
    """A reading of one case or account, or a search, with its reader."""

    __tablename__ = "access_log"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[UUID] = mapped_column(
        primary_key=True, server_default=text("uuidv7()"), comment="UUIDv7; has the time"
    )
    actor: Mapped[str]
    via: Mapped[str | None] = mapped_column(comment="key and its prefix")
    action: Mapped[str] = mapped_column(comment="such as transaction.read")
    object: Mapped[str | None] = mapped_column(comment="what was read, such as accounts/C1")
    details: Mapped[dict[str, Any]] = mapped_column(comment="filter of a search, number of rows")

    __table_args__ = (
        *(
            Index(f"ix_access_log_{name}", "tenant_id", name, text("id DESC"))
            for name in ("action", "actor", "object")
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )
