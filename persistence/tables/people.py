"""People who use the console: their accounts, sessions, one-time links and saved searches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class UserRow(Base):
    """A person's account of one tenant; accounts are disabled, never removed."""

    __tablename__ = "users"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(comment="in lower case")
    name: Mapped[str] = mapped_column(comment="actor in the audit log")
    role: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(comment="Argon2id, in the PHC string format")
    password_set_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(
        server_default=text("0"), comment="failed sign-ins since the last one that succeeded"
    )
    locked_until: Mapped[datetime | None] = mapped_column(comment="no password is accepted before")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "email"),
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("role IN ('analyst', 'senior', 'admin')", name="role_known"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 64", name="name_length"),
        CheckConstraint("email = lower(email)", name="email_lower_case"),
    )


class UserSessionRow(Base):
    """A signed-in browser; the row is removed when the person signs out."""

    __tablename__ = "user_sessions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True, comment="SHA-256 of the cookie's token")
    user_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
    )


class SignInLinkRow(Base):
    """A link that works once: to choose a password, or to sign in without one."""

    __tablename__ = "sign_in_links"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True, comment="SHA-256 of the link's token")
    user_id: Mapped[int] = mapped_column(BigInteger)
    purpose: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        CheckConstraint("purpose IN ('password', 'sign_in')", name="purpose_known"),
    )


class SavedSearchRow(Base):
    """A search that a person keeps under a name."""

    __tablename__ = "saved_searches"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    query: Mapped[str] = mapped_column(comment="parameters of the page's address")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        UniqueConstraint("tenant_id", "user_id", "name"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 64", name="name_length"),
        CheckConstraint("char_length(query) <= 4000", name="query_length"),
    )
