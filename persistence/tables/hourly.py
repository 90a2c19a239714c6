"""Figures of decisions by hour, and up to where decisions and labels are counted in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class DecisionHourRow(Base):
    """Counts of the decisions of an hour; arrays are by outcome and band unless they say so.

    The order of the arrays is that of `persistence.hourly.counts`.
    """

    __tablename__ = "decision_hours"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True, comment="start of the hour, UTC")
    decisions: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    amounts: Mapped[list[float]] = mapped_column(comment="money")
    frauds: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="labelled as fraud")
    fraud_amounts: Mapped[list[float]] = mapped_column(comment="money")
    honest: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="labelled as legitimate")
    settled: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="decided by an analyst")
    settled_amounts: Mapped[list[float]] = mapped_column(comment="money")
    scores: Mapped[list[int]] = mapped_column(ARRAY(Integer), comment="decisions by bin of score")
    latencies: Mapped[list[int]] = mapped_column(
        ARRAY(Integer), comment="decisions by bin of latency"
    )


class CategoryHourRow(Base):
    """Decisions of an hour with one value of a category field."""

    __tablename__ = "category_hours"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True, comment="start of the hour, UTC")
    field: Mapped[str] = mapped_column(primary_key=True)
    is_rest: Mapped[bool] = mapped_column(
        primary_key=True, comment="all values that are not counted apart"
    )
    value: Mapped[str] = mapped_column(primary_key=True, comment="empty for the rest")
    decisions: Mapped[int] = mapped_column(Integer)
    flagged: Mapped[int] = mapped_column(Integer, comment="reviewed or declined")
    amount: Mapped[float] = mapped_column(comment="money")


class ExpectedHourRow(Base):
    """Sums over the decisions of an hour with probability p and amount a, by outcome."""

    __tablename__ = "expected_hours"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True, comment="start of the hour, UTC")
    frauds: Mapped[list[float]] = mapped_column(comment="sum of p")
    fraud_amounts: Mapped[list[float]] = mapped_column(comment="sum of p a")
    variances: Mapped[list[float]] = mapped_column(comment="sum of p (1 - p)")
    variance_amounts: Mapped[list[float]] = mapped_column(comment="sum of p (1 - p) a")
    variance_squares: Mapped[list[float]] = mapped_column(comment="sum of p (1 - p) a squared")


class HourCountingRow(Base):
    """Up to where a tenant's decisions and labels are counted in the hours."""

    __tablename__ = "hour_counting"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    decided_until: Mapped[datetime] = mapped_column(comment="decisions before are counted")
    labels_until: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="id of the last label that is counted"
    )
    category_values: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="values that are counted apart, by field"
    )
    expected_until: Mapped[datetime | None] = mapped_column(
        comment="decisions before are in expected_hours; null: none is"
    )
