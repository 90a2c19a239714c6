"""Cases: what analysts investigate together, with linked events and entities, and notes.

An event is linked by its id without a foreign key: the link stays when retention deletes the event.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base

_OF_CASE = (["tenant_id", "case_number"], ["cases.tenant_id", "cases.number"])


class CaseRow(Base):
    """A case; it is never removed."""

    __tablename__ = "cases"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[int] = mapped_column(
        Integer, primary_key=True, autoincrement=False, comment="1, 2, 3 ... in the tenant"
    )
    version: Mapped[int] = mapped_column(
        Integer, server_default=text("1"), comment="grows with every change of facts and links"
    )
    title: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    priority: Mapped[str] = mapped_column(server_default=text("'normal'"))
    assignee_id: Mapped[int | None] = mapped_column(BigInteger, comment="null: nobody's")
    due_on: Mapped[date | None] = mapped_column(comment="day in the tenant's time zone")
    outcome: Mapped[str | None] = mapped_column(comment="null: it is open")
    amount: Mapped[float | None] = mapped_column(comment="money that the outcome is about")
    created_by: Mapped[str] = mapped_column(comment="name of the person")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "assignee_id"], ["users.tenant_id", "users.id"]),
        CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
        CheckConstraint("status IN ('open', 'closed')", name="status_known"),
        CheckConstraint("priority IN ('low', 'normal', 'high')", name="priority_known"),
        CheckConstraint(
            "outcome IN ('fraud_confirmed', 'not_fraud', 'inconclusive')", name="outcome_known"
        ),
        CheckConstraint("amount >= 0 AND amount <= 1e12", name="amount_in_range"),
        CheckConstraint(
            "(status = 'closed') = (outcome IS NOT NULL)"
            " AND (status = 'closed') = (closed_at IS NOT NULL)"
            " AND (status = 'closed' OR amount IS NULL)",
            name="outcome_when_closed",
        ),
        Index("ix_cases_status", "tenant_id", "status", "priority", "due_on", "number"),
        Index(
            "ix_cases_assignee",
            *("tenant_id", "assignee_id", "status", "priority", "due_on", "number"),
        ),
        Index(
            "ix_cases_closed",
            "tenant_id",
            text("closed_at DESC"),
            text("number DESC"),
            postgresql_where=text("status = 'closed'"),
        ),
    )


class CaseEventRow(Base):
    """An event of a case."""

    __tablename__ = "case_events"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    case_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(comment="name of the person")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(*_OF_CASE),
        Index("ix_case_events_transaction", "tenant_id", "transaction_id"),
    )


class CaseEntityRow(Base):
    """An entity of a case."""

    __tablename__ = "case_entities"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    case_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True, comment="kind, such as customer")
    key: Mapped[str] = mapped_column(primary_key=True, comment="the entity, as events have it")
    actor: Mapped[str] = mapped_column(comment="name of the person")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(*_OF_CASE),
        Index("ix_case_entities_entity", "tenant_id", "entity", "key"),
    )


class CaseNoteRow(Base):
    """A note on a case; notes are neither changed nor removed."""

    __tablename__ = "case_notes"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    case_number: Mapped[int] = mapped_column(Integer)
    text: Mapped[str]
    actor: Mapped[str] = mapped_column(comment="name of the person")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(*_OF_CASE),
        CheckConstraint("char_length(text) BETWEEN 1 AND 4000", name="text_length"),
        Index("ix_case_notes_case", "tenant_id", "case_number", "id"),
    )
