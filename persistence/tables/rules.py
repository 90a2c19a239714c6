"""Rules, snoozes, lists and their entries (docs/decisions/0018-rules-and-lists.md).

Rows are inserted under a change's number. Nothing of them ever changes but the number of the change
that ends them, so what was in force at any number can be read later.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class RuleChangeRow(Base):
    """A change of a tenant's rules, snoozes, lists or entries; they are visible in order."""

    __tablename__ = "rule_changes"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="1, 2, 3 ... in the tenant"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RuleRow(Base):
    """A version of a rule. Rows are never changed: the newest version is in force."""

    __tablename__ = "rules"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, comment="1, 2, 3 ... in the tenant")
    version: Mapped[int] = mapped_column(
        Integer, primary_key=True, comment="1, 2, 3 ... of the rule"
    )
    name: Mapped[str]
    condition: Mapped[str] = mapped_column(comment="in the language of features, canonical")
    action: Mapped[str]
    state: Mapped[str]
    priority: Mapped[int] = mapped_column(Integer, comment="the smallest decides first")
    actor: Mapped[str] = mapped_column(comment="name of the API key or of the user")
    change_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reason: Mapped[str | None] = mapped_column(comment="why; null: nobody gave one")

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "change_id"], ["rule_changes.tenant_id", "rule_changes.id"]
        ),
        CheckConstraint("version >= 1", name="version_counts_from_1"),
        CheckConstraint("action IN ('approve', 'review', 'decline')", name="action_known"),
        CheckConstraint("state IN ('off', 'shadow', 'live')", name="state_known"),
        CheckConstraint("priority BETWEEN 0 AND 10000", name="priority_in_range"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        Index("ix_rules_change", "tenant_id", "change_id"),
    )


class RuleSnoozeRow(Base):
    """A time during which a rule, in any version, does not act on one entity."""

    __tablename__ = "rule_snoozes"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, comment="1, 2, 3 ... in the tenant")
    rule_id: Mapped[int] = mapped_column(Integer)
    entity: Mapped[str] = mapped_column(comment="kind of entity, such as customer")
    value: Mapped[str] = mapped_column(comment="the entity, as events have it")
    until: Mapped[datetime]
    reason: Mapped[str]
    actor: Mapped[str] = mapped_column(comment="name of the API key or of the user")
    added_change: Mapped[int] = mapped_column(BigInteger)
    ended_change: Mapped[int | None] = mapped_column(BigInteger, comment="null: it was not ended")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "added_change"], ["rule_changes.tenant_id", "rule_changes.id"]
        ),
        ForeignKeyConstraint(
            ["tenant_id", "ended_change"], ["rule_changes.tenant_id", "rule_changes.id"]
        ),
    )


class ListRow(Base):
    """A named set of entities of one kind."""

    __tablename__ = "lists"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, comment="1, 2, 3 ... in the tenant")
    name: Mapped[str]
    entity: Mapped[str] = mapped_column(comment="kind of entity, such as customer")
    action: Mapped[str | None] = mapped_column(comment="null: only rules read it")
    fields: Mapped[list[str] | None] = mapped_column(
        comment="fields that are looked up; null: every field of the entity"
    )
    actor: Mapped[str] = mapped_column(comment="name of the API key or of the user")
    added_change: Mapped[int] = mapped_column(BigInteger)
    removed_change: Mapped[int | None] = mapped_column(BigInteger, comment="null: it is in force")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "added_change"], ["rule_changes.tenant_id", "rule_changes.id"]
        ),
        ForeignKeyConstraint(
            ["tenant_id", "removed_change"], ["rule_changes.tenant_id", "rule_changes.id"]
        ),
        CheckConstraint("action IN ('approve', 'decline')", name="action_known"),
        Index(
            "uq_lists_name",
            "tenant_id",
            "name",
            unique=True,
            postgresql_where=text("removed_change IS NULL"),
        ),
    )


class ListEntryRow(Base):
    """An entity in a list.

    Its list and its changes exist by construction, so it has no foreign key to them: one change
    stores up to a million entries (docs/decisions/0009-keys-of-the-decision-log.md).
    """

    __tablename__ = "list_entries"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    list_id: Mapped[int] = mapped_column(Integer)
    value: Mapped[str] = mapped_column(comment="the entity, as events have it")
    digest: Mapped[bytes] = mapped_column(comment="BLAKE2b of the value, 16 bytes")
    reason: Mapped[str]
    actor: Mapped[str] = mapped_column(comment="name of the API key or of the user")
    expires_at: Mapped[datetime | None] = mapped_column(comment="null: it stays")
    added_change: Mapped[int] = mapped_column(BigInteger)
    removed_change: Mapped[int | None] = mapped_column(BigInteger, comment="null: it is in force")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("length(digest) = 16", name="digest_length"),
        Index(
            "uq_list_entries_digest",
            "tenant_id",
            "list_id",
            "digest",
            unique=True,
            postgresql_where=text("removed_change IS NULL"),
        ),
        Index("ix_list_entries_added", "tenant_id", "added_change"),
        Index(
            "ix_list_entries_removed",
            "tenant_id",
            "removed_change",
            postgresql_where=text("removed_change IS NOT NULL"),
        ),
        Index("ix_list_entries_digest", "tenant_id", "digest"),
        Index(
            "ix_list_entries_list",
            "tenant_id",
            "list_id",
            "id",
            postgresql_where=text("removed_change IS NULL"),
        ),
    )


class ListCountRow(Base):
    """The number of entries of a list, which triggers keep; a list without a row has none."""

    __tablename__ = "list_counts"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    list_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entries: Mapped[int] = mapped_column(
        BigInteger, comment="entries in force, expired ones among them"
    )
