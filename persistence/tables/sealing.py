"""The sealed log: leaves, inner nodes and heads of a Merkle tree a tenant, and what expired.

Only the tables' owner writes them (`sentinel seal run`, `sentinel db maintain`). They have no
audit trigger: an entry of the audit log is a leaf itself, and each leaf would make another entry.
Leaves and nodes have no foreign key to tenants (docs/decisions/0009-keys-of-the-decision-log.md).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class SealLeafRow(Base):
    """A leaf: which row it seals, and a commitment to the row's fields."""

    __tablename__ = "seal_leaves"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="0, 1, 2 ... in the tenant"
    )
    kind: Mapped[str] = mapped_column(comment="such as decision")
    form: Mapped[int] = mapped_column(SmallInteger, comment="list of columns that was sealed")
    key: Mapped[str] = mapped_column(Text(collation="C"), comment="key of the row in its kind")
    commitment: Mapped[bytes] = mapped_column(comment="SHA-256 over those to the fields")
    salt: Mapped[bytes | None] = mapped_column(comment="null: the row has expired")

    __table_args__ = (Index("uq_seal_leaves_key", "tenant_id", "kind", "key", unique=True),)


class SealNodeRow(Base):
    """A complete subtree of 2^8, 2^16, 2^24 ... leaves; what is between them is computed."""

    __tablename__ = "seal_nodes"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    height: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="0, 1, 2 ... in its height"
    )
    hash: Mapped[bytes]


class SealHeadRow(Base):
    """A signed head as it was exported."""

    __tablename__ = "seal_heads"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    size: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="number of leaves"
    )
    note: Mapped[str] = mapped_column(comment="signed note (C2SP tlog-checkpoint)")
    signed_at: Mapped[datetime]


class SealExpiryRow(Base):
    """A statement that retention dropped a month of a tenant; it is sealed like any other row."""

    __tablename__ = "seal_expiries"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    month: Mapped[str] = mapped_column(comment="such as 2026-01, UTC")
    retain_months: Mapped[int] = mapped_column(
        Integer, comment="whole months before that of the run that were kept"
    )
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("tenant_id", "month"),)
