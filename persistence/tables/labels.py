"""Labels: what events turned out to be."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class LabelRow(Base):
    """What a source reported about an event; rows are never changed, `scoring.labels` has the rule.

    The transaction exists without a foreign key: the statement that stores a label locks its
    partition, and maintenance deletes a month's labels with it. A trigger stores feedback here.
    """

    __tablename__ = "labels"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    transaction_id: Mapped[UUID]
    label: Mapped[str]
    source: Mapped[str]
    reversed: Mapped[bool] = mapped_column(
        server_default=false(), comment="withdraws the source's earlier label"
    )
    occurred_at: Mapped[datetime] = mapped_column(comment="when it became known")
    amount_lost: Mapped[float | None] = mapped_column(comment="money; null: not known")
    actor: Mapped[str] = mapped_column(comment="name of the API key, or the user of a command")
    feedback_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="feedback that a trigger stored as this label"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("label IN ('fraud', 'legitimate', 'escalated')", name="label_known"),
        CheckConstraint(
            "source IN ('chargeback', 'analyst', 'customer', 'rule', 'import')",
            name="source_known",
        ),
        CheckConstraint("amount_lost >= 0", name="amount_lost_not_negative"),
        CheckConstraint(
            "label <> 'escalated' OR feedback_id IS NOT NULL", name="escalated_by_feedback"
        ),
        # In the order in which labels are read: by transaction, by source, latest last.
        UniqueConstraint(
            "tenant_id",
            "transaction_id",
            "source",
            "occurred_at",
            "label",
            "reversed",
            "feedback_id",
            name="uq_labels_of_event",
            postgresql_nulls_not_distinct=True,
        ),
    )
