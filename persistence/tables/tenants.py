"""Tenants and their API keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    false,
    func,
    text,
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
    four_eyes: Mapped[bool] = mapped_column(
        server_default=false(), comment="a version serves only after a second person's approval"
    )
    four_eyes_policy: Mapped[bool] = mapped_column(
        server_default=false(), comment="a policy is in force only after a second person's approval"
    )
    journal: Mapped[bool] = mapped_column(
        server_default=false(), comment="decisions go to a journal while Postgres is away"
    )
    payments_per_second: Mapped[int | None] = mapped_column(
        comment="most payments a second and process; null: no limit"
    )
    key_payments_per_second: Mapped[int | None] = mapped_column(
        comment="the same of each API key; null: no limit"
    )
    currency: Mapped[str | None] = mapped_column(comment="ISO 4217; null: not known")
    time_zone: Mapped[str] = mapped_column(
        server_default=text("'UTC'"), comment="IANA name, in which the console shows times"
    )

    __table_args__ = (
        CheckConstraint(f"slug ~ '^{SLUG_FORM}$'", name="slug_form"),
        CheckConstraint("payments_per_second > 0", name="payments_per_second_positive"),
        CheckConstraint("key_payments_per_second > 0", name="key_payments_per_second_positive"),
    )


class ApiKeyRow(Base):
    """An API key: its public prefix and a keyed hash; the key itself is not stored."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), index=True)
    prefix: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(comment="actor in the audit log")
    digest: Mapped[bytes] = mapped_column(comment="HMAC-SHA256 of the key")
    secret_id: Mapped[str | None] = mapped_column(
        comment="fingerprint of the digest's secret; null: not used since revision 0006"
    )
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
        CheckConstraint("char_length(name) BETWEEN 1 AND 64", name="name_length"),
        Index(
            "uq_api_keys_active_name",
            "tenant_id",
            "name",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )
