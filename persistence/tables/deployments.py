"""A tenant's model versions, refusals and policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class ModelVersionRow(Base):
    """A registered model version that has served a tenant."""

    __tablename__ = "model_versions"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    policy: Mapped[dict[str, Any]] = mapped_column(comment="cost model, threshold, bands")
    calibrator_kind: Mapped[str]
    usual: Mapped[dict[str, Any] | None] = mapped_column(
        comment="medians of the payments of the training by feature name"
    )
    features: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB,
        server_default=FetchedValue(),  # set by migration 0010 for releases that write none
        comment="event type and feature set; of PaySim's a list of names, descriptions and words",
    )
    first_served_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProductionVersionRow(Base):
    """A tenant's production version, as the service last recorded it."""

    __tablename__ = "production_versions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    registered_ms: Mapped[int | None] = mapped_column(
        BigInteger, comment="Unix ms; null: recorded by an earlier release"
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
        ),
    )


class ChallengerVersionRow(Base):
    """A tenant's challenger, which scores payments beside the production version."""

    __tablename__ = "challenger_versions"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    canary_percent: Mapped[float] = mapped_column(comment="share of accounts it decides for, 0-100")
    since: Mapped[datetime] = mapped_column(
        server_default=func.now(), comment="when the version became the challenger"
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
        ),
        CheckConstraint("canary_percent BETWEEN 0 AND 100", name="canary_percent_in_range"),
    )


class RefusalRow(Base):
    """A registered version that was refused, with the reason."""

    __tablename__ = "refusals"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    registered_ms: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="Unix ms; distinguishes a version from a later one with its number",
    )
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    awaits_approval: Mapped[bool] = mapped_column(
        primary_key=True,
        server_default=false(),
        comment="it failed no check; a second person has to approve it",
    )


class VersionApprovalRow(Base):
    """A person's approval of a registered version; rows are never changed."""

    __tablename__ = "version_approvals"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    registered_ms: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="Unix ms; distinguishes a version from a later one with its number",
    )
    actor: Mapped[str] = mapped_column(primary_key=True, comment="name of the API key")
    note: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class PolicyRow(Base):
    """A tenant's own policy, which overrides its versions' policies until it is withdrawn.

    Rows are never changed: the newest one counts.
    """

    __tablename__ = "policies"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    policy: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="cost model, threshold, bands, explore; null: each version's own again",
    )
    actor: Mapped[str] = mapped_column(comment="name of the API key")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reason: Mapped[str | None] = mapped_column(comment="in the person's words")

    __table_args__ = (
        CheckConstraint(
            "policy IS NULL OR coalesce("
            "(policy->>'threshold')::float8 > 0 AND (policy->>'high_from')::float8 < 1"
            " AND (policy->>'threshold')::float8 <= (policy->>'high_from')::float8, false)",
            name="policy_in_range",
        ),
        CheckConstraint(
            "policy->'explore' IS NULL OR coalesce("
            "(policy->'explore'->>'share')::float8 > 0"
            " AND (policy->'explore'->>'share')::float8 <= 0.1"
            " AND (policy->'explore'->>'max_amount')::float8 > 0, false)",
            name="explore_in_range",
        ),
    )


class PolicyProposalRow(Base):
    """A policy that waits for a second person's approval, or waited; at most one waits."""

    __tablename__ = "policy_proposals"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    policy: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="as in policies; null: each version's own again"
    )
    base: Mapped[str] = mapped_column(comment="policy in force that the person saw")
    before: Mapped[dict[str, Any]] = mapped_column(
        JSONB, comment="numbers of the policy in force that the person saw"
    )
    reason: Mapped[str | None] = mapped_column(comment="in the person's words")
    actor: Mapped[str] = mapped_column(comment="name of the person or key")
    via: Mapped[str | None] = mapped_column(comment="account or key, as in the audit log")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    decided_by: Mapped[str | None] = mapped_column(comment="name of the person or key")
    decided_via: Mapped[str | None] = mapped_column(comment="account or key")
    decided_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(comment="in the words of who decided")
    policy_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="policy that its approval made"
    )

    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'approved', 'refused', 'replaced')", name="status_known"
        ),
        CheckConstraint(
            "(status = 'open') = (decided_at IS NULL)"
            " AND (status = 'open') = (decided_by IS NULL)"
            " AND (status = 'approved') = (policy_id IS NOT NULL)",
            name="decided_once",
        ),
        CheckConstraint(
            "status <> 'approved' OR CASE"
            " WHEN via LIKE 'user %' AND decided_via LIKE 'user %'"
            " THEN lower(decided_via) <> lower(via)"
            " ELSE lower(decided_by) <> lower(actor) END",
            name="second_person",
        ),
        ForeignKeyConstraint(["tenant_id", "policy_id"], ["policies.tenant_id", "policies.id"]),
        Index(
            "uq_policy_proposals_open",
            "tenant_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
    )
