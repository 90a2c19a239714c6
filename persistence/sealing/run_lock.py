"""The lock that lets one process seal at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from persistence.engine import transaction

_RUN_LOCK = (0x53E47, 2)  # beside that of maintenance


@contextmanager
def run_lock(engine: Engine) -> Iterator[bool]:
    """Hold the advisory lock of sealing in a transaction of its own; yield whether it was free.

    As for maintenance, the transaction has no snapshot and its statement no parameters.
    """
    with transaction(engine) as connection:
        lock = text(f"SELECT pg_try_advisory_xact_lock({_RUN_LOCK[0]}, {_RUN_LOCK[1]})")
        yield bool(connection.execute(lock).scalar_one())
