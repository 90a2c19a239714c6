"""The past events of entities, as `persistence/history` reads and writes them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Integer, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class _OfEntity:
    """The columns of a row of an entity."""

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True, comment="field that names the entity")
    key: Mapped[str] = mapped_column(primary_key=True, comment="the entity's id")


class EntityEventRow(_OfEntity, Base):
    """An event as a past event of one of its entities, until it is moved to a segment.

    There is a row for each entity. Imported events have no transaction.
    """

    __tablename__ = "entity_events"

    time_us: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="the event's own time, microseconds since 1970",
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7 of the transaction")
    record: Mapped[bytes] = mapped_column(LargeBinary, comment="the event's fields, as MessagePack")


class EntitySegmentRow(_OfEntity, Base):
    """Many past events of an entity in one row, in no order; each event is in one segment only."""

    __tablename__ = "entity_segments"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    since_us: Mapped[int] = mapped_column(BigInteger, comment="time of the earliest event")
    until_us: Mapped[int] = mapped_column(BigInteger, comment="time of the latest event")
    events: Mapped[int] = mapped_column(Integer, comment="number of events")
    records: Mapped[bytes] = mapped_column(
        LargeBinary, comment="each event's id, 16 bytes, and record"
    )


class EntityFraudRow(_OfEntity, Base):
    """A past event that is known as a fraud."""

    __tablename__ = "entity_frauds"

    event_id: Mapped[UUID] = mapped_column(primary_key=True, comment="id of the past event")
    known_us: Mapped[int] = mapped_column(
        BigInteger, comment="when it became known as a fraud, microseconds since 1970"
    )


class EntityFraudChangeRow(_OfEntity, Base):
    """A change of what is known of a past event, which `entity_frauds` has the result of.

    A process that keeps an entity's frauds finds here those that it has to read again.
    """

    __tablename__ = "entity_fraud_changes"

    transaction: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, comment="pg_current_xact_id() of the change"
    )
    event_id: Mapped[UUID] = mapped_column(primary_key=True, comment="id of the past event")
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
