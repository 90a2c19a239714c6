"""A connection that gives up on a Postgres that never answers.

`statement_timeout` is kept by the server, and TCP's own time-outs see only a peer whose kernel is
gone. A server process that hangs, or a proxy in between that holds the bytes back, would hold a
worker thread for ever: libpq has no time-out for reading.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen


def patient_connect(seconds: float) -> Callable[..., psycopg.Connection[Any]]:
    """Return a `connect` whose connections wait for each answer no longer than `seconds`.

    A connection that has waited too long is closed and raises `psycopg.OperationalError`; what
    became of the statement is not known.
    """

    class PatientConnection(psycopg.Connection[Any]):
        def wait(self, gen: PQGen[RV], *args: Any, **named: Any) -> RV:  # noqa: ANN401 - psycopg's
            return super().wait(_within(self, gen, seconds), *args, **named)

    return PatientConnection.connect


def _within(connection: psycopg.Connection[Any], gen: PQGen[RV], seconds: float) -> PQGen[RV]:
    """Pass a generator's dealings on; psycopg resumes it every 0.1 s even when nothing arrives."""
    deadline = monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and monotonic() > deadline:
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"Postgres did not answer within {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: RV = end.value
        return result
