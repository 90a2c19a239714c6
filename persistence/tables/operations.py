"""Runs of scheduled jobs, over all tenants."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from persistence.tables.base import Base


class JobRunRow(Base):
    """A scheduled job, or a kind of backup, with the time at which it last ended well."""

    __tablename__ = "job_runs"

    job: Mapped[str] = mapped_column(primary_key=True, comment="such as maintenance")
    succeeded_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), comment="end of the last run without an error"
    )
