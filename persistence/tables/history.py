"""The past events of entities."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class EntityEventRow(Base):
    """An event as a past event of one of its entities; there is a row for each entity.

    Windows read the rows of an entity by a range of time. Imported events have no transaction.
    """

    __tablename__ = "entity_events"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True, comment="field that names the entity")
    key: Mapped[str] = mapped_column(primary_key=True, comment="the entity's id")
    time_us: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="the event's own time, microseconds since 1970",
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7 of the transaction")
    fields: Mapped[str] = mapped_column(comment="the event's fields, as JSON")
    fraud_known_us: Mapped[int | None] = mapped_column(
        BigInteger,
        comment="when it became known as a fraud, microseconds since 1970; null: it did not",
    )
