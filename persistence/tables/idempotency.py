"""Requests with an idempotency key of their own, and the replies that are kept for them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Integer, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class IdempotentRequestRow(Base):
    """A request that was sent with an Idempotency-Key, and what is returned for it.

    A single /score is not among them: its key is the `external_id` of its transaction.
    """

    __tablename__ = "idempotent_requests"

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_digest: Mapped[bytes] = mapped_column(
        comment="SHA-256 of the method, the path and the canonical body"
    )
    prediction_ids: Mapped[list[UUID] | None] = mapped_column(
        ARRAY(Uuid), comment="of a batch, in the order of its rows"
    )
    status: Mapped[int | None] = mapped_column(Integer, comment="of any other request")
    reply: Mapped[bytes | None] = mapped_column(comment="of any other request")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(
            "(prediction_ids IS NULL) = (reply IS NOT NULL) AND (status IS NULL) = (reply IS NULL)",
            name="one_kind_of_reply",
        ),
    )
