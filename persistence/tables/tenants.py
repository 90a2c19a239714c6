"""Tenants and their API keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base
from scoring.tenant import SLUG_FORM


class TenantRow(Base):
    """A bank or payment company that uses the deployment."""

    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    model_name: Mapped[str] = mapped_column(comment="registered model in MLflow")
    is_test: Mapped[bool] = mapped_column(
        server_default=false(), comment="fixed test transactions are answered without a model"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint(f"slug ~ '^{SLUG_FORM}$'", name="slug_form"),)


class ApiKeyRow(Base):
    """An API key: its public prefix and a keyed hash; the key itself is not stored."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), index=True)
    prefix: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[bytes] = mapped_column(comment="HMAC-SHA256 of the key")
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None] = mapped_column(comment="to the minute")

    __table_args__ = (
        CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['score', 'review', 'admin']",
            name="scopes_known",
        ),
    )
