"""Uploads: files of events that people send in the console, and what was decided of their rows.

The file and the files that it results in are kept in parts, so that no statement moves a whole
file: a part of the first has 256 kB, and one of the others the lines of 50 rows, each of at most
64 kB before more is added. docs/decisions/0021-uploads.md has the reasons.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base

_OF_UPLOAD = (["tenant_id", "number"], ["uploads.tenant_id", "uploads.number"])
MAX_SIZE = 20_000_000
"""Bytes of a file."""
STATUSES = ("new", "started", "done", "failed", "stopped", "discarded")


class UploadRow(Base):
    """An upload; the row stays when its files are removed."""

    __tablename__ = "uploads"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[int] = mapped_column(
        Integer, primary_key=True, autoincrement=False, comment="1, 2, 3 ... in the tenant"
    )
    status: Mapped[str] = mapped_column(server_default=text("'new'"))
    file_name: Mapped[str]
    size: Mapped[int] = mapped_column(Integer, comment="bytes")
    sha256: Mapped[str] = mapped_column(comment="of the file, hexadecimal")
    rows: Mapped[int] = mapped_column(Integer, comment="of the file, without its header")
    separator: Mapped[str]
    has_bom: Mapped[bool]
    columns: Mapped[list[str]] = mapped_column(comment="of the file, in their order")
    mapping: Mapped[dict[str, Any] | None] = mapped_column(comment="column by field")
    time_zone: Mapped[str | None] = mapped_column(comment="of times without one; null: refused")
    created_by: Mapped[str] = mapped_column(comment="name of the person")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_by: Mapped[str | None] = mapped_column(comment="name of the person")
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(comment="why it failed")
    counts: Mapped[dict[str, Any] | None] = mapped_column(comment="of its rows, since it ended")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when its files were removed")

    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status_known"),
        CheckConstraint("(status = 'new') = (started_at IS NULL AND ended_at IS NULL)", name="new"),
        CheckConstraint(f"size BETWEEN 1 AND {MAX_SIZE}", name="size"),
        CheckConstraint("rows >= 1", name="rows"),
        CheckConstraint("(status IN ('new', 'started')) = (ended_at IS NULL)", name="ended"),
        Index("ix_uploads_open", "tenant_id", postgresql_where=text("ended_at IS NULL")),
        Index("ix_uploads_sha256", "tenant_id", "sha256"),
    )


class UploadPartRow(Base):
    """A part of an uploaded file, byte by byte as it was sent."""

    __tablename__ = "upload_parts"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True, comment="0, 1, 2 ...")
    content: Mapped[bytes]

    __table_args__ = (ForeignKeyConstraint(*_OF_UPLOAD),)


class UploadChunkRow(Base):
    """Rows of an upload that were decided together, and their lines of the resulting files."""

    __tablename__ = "upload_chunks"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    first_row: Mapped[int] = mapped_column(Integer, primary_key=True, comment="counted from 1")
    rows: Mapped[int] = mapped_column(Integer)
    rejected: Mapped[int] = mapped_column(Integer)
    repeated: Mapped[int] = mapped_column(Integer, comment="decided earlier by their external_id")
    reviewed: Mapped[int] = mapped_column(Integer)
    declined: Mapped[int] = mapped_column(Integer)
    results: Mapped[bytes] = mapped_column(comment="lines of CSV")
    rejects: Mapped[bytes] = mapped_column(comment="lines of CSV")
    faults: Mapped[list[Any]] = mapped_column(
        JSONB, comment="row, line and [column, field, reason] of each rejected row"
    )

    __table_args__ = (
        ForeignKeyConstraint(*_OF_UPLOAD),
        Index(
            "ix_upload_chunks_rejected",
            *("tenant_id", "number", "first_row"),
            postgresql_where=text("rejected > 0"),
        ),
    )


class UploadLeaseRow(Base):
    """Which process decides the rows of an upload, and until when no other one may."""

    __tablename__ = "upload_leases"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    holder: Mapped[UUID | None] = mapped_column(comment="of a process; null: nobody had it yet")
    until: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (ForeignKeyConstraint(*_OF_UPLOAD),)
