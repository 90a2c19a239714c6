"""Tenants' event types."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Integer, func
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class EventTypeRow(Base):
    """A version of a tenant's event type. Rows are never changed: the newest one is in force."""

    __tablename__ = "event_types"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, comment="1, 2, 3 ... in the tenant")
    # `json` keeps the order of the fields, `jsonb` does not.
    document: Mapped[dict[str, Any]] = mapped_column(JSON, comment="name, label, fields in order")
    actor: Mapped[str] = mapped_column(comment="name of the API key or of the user")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("version >= 1", name="version_counts_from_1"),)
