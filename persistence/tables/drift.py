"""Drift checks and their measures.

Counts are stored beside the measures, so that the measures can be computed again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Double,
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


class DriftCheckRow(Base):
    """A drift check of a model version's predictions in a window."""

    __tablename__ = "drift_checks"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    computed_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), comment="the same for all versions of a run"
    )
    window_from: Mapped[datetime]
    window_to: Mapped[datetime]
    model_name: Mapped[str]
    model_version: Mapped[int] = mapped_column(Integer)
    predictions: Mapped[int] = mapped_column(
        BigInteger, comment="that the version made in the window"
    )
    note: Mapped[str | None] = mapped_column(comment="why nothing was measured")

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "model_name", "model_version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
        ),
        CheckConstraint("window_from < window_to", name="window_has_length"),
        Index("ix_drift_checks_latest", "tenant_id", text("computed_at DESC")),
    )


class DriftMeasureRow(Base):
    """One feature, or the score, of a check: bins of training, counts of the window, PSI."""

    __tablename__ = "drift_measures"

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    check_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True, comment="a feature's, or score")
    edges: Mapped[list[float]] = mapped_column(
        ARRAY(Double), comment="bin i is [edges[i-1], edges[i])"
    )
    trained: Mapped[list[float]] = mapped_column(
        ARRAY(Double), comment="share of the training rows in each bin"
    )
    trained_rows: Mapped[int] = mapped_column(BigInteger)
    counts: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), comment="the window's rows in each bin"
    )
    level: Mapped[str]
    psi: Mapped[float | None] = mapped_column(comment="nats")
    expected_without_drift: Mapped[float | None] = mapped_column(comment="mean of psi by chance")
    limit_without_drift: Mapped[float | None] = mapped_column(
        comment="exceeded by chance once in a thousand windows"
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["drift_checks.tenant_id", "drift_checks.id"],
            ondelete="CASCADE",
        ),
        CheckConstraint(
            "level IN ('stable', 'moderate', 'major', 'insufficient', 'empty', 'constant')",
            name="level_known",
        ),
        CheckConstraint(
            "(psi IS NULL) = (level IN ('insufficient', 'empty', 'constant'))",
            name="psi_where_measured",
        ),
        CheckConstraint(
            "cardinality(counts) = cardinality(trained)"
            " AND cardinality(counts) = cardinality(edges) + 1",
            name="one_count_a_bin",
        ),
    )
