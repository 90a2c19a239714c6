"""When scheduled jobs and backups last ended well.

A job that does not run leaves no trace of its own, and a process that measures its age has to know
when it last ran; every process reads it here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.engine import transaction
from persistence.tables.operations import JobRunRow

Job = Literal["maintenance", "monitor", "backup_dump", "backup_base", "sealing"]


def record_job(engine: Engine, job: Job, *, at: datetime | None = None) -> None:
    """Record that a job has ended without an error.

    Args:
        engine: pool whose role owns the tables.
        job: job that ended.
        at: time of it; None is now. For sealing, all that was stored before has been sealed.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    succeeded_at = func.now() if at is None else at
    statement = upsert(JobRunRow).values(job=job, succeeded_at=succeeded_at)
    with transaction(engine) as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[JobRunRow.job], set_={"succeeded_at": succeeded_at}
            )
        )


def job_runs(connection: Connection) -> dict[str, datetime]:
    """Return the time of the last success by job, of the jobs that ever succeeded."""
    return dict(connection.execute(select(JobRunRow.job, JobRunRow.succeeded_at)).tuples().all())
