"""Of several servers, find the one that decisions can be sent to, without waiting for a dead one.

libpq tries the servers one after another and gives each `connect_timeout`, at least 2 s. After the
machine of the first one is gone, each new connection would wait as long. So all are asked at once,
and the connection to the one that accepts decisions is used.
"""

from __future__ import annotations

import os
from select import POLLIN, POLLOUT, poll
from time import monotonic

from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, PGconn, PollingStatus
from psycopg.pq.abc import PGconn as AnyPGconn

from persistence.connection.url import Parameters

EVENTS = {PollingStatus.READING: POLLIN, PollingStatus.WRITING: POLLOUT}
_PREFERENCE_S = 0.1
"""Time for which an earlier server of the URL is waited for while a later one has answered: where
both accept decisions, every process chooses the same."""


def open_first(parameters: Parameters, within_s: float) -> AnyPGconn | None:
    """Return an open connection to the first server that `target_session_attrs` asks for.

    Args:
        parameters: connection parameters, Sentinel's defaults among them.
        within_s: longest wait, seconds.

    Returns:
        A connection that does not block; None where one server is named, or none answers in time.
    """
    servers = _servers(parameters)
    if len(servers) < 2:
        return None
    pgconn = _race([parameters | server for server in servers], within_s)
    if pgconn is not None:
        pgconn.nonblocking = 1
    return pgconn


def _servers(parameters: Parameters) -> list[Parameters]:
    """Return host, address and port of each server that the URL or the environment names."""
    values = {
        "host": parameters.get("host") or os.environ.get("PGHOST", ""),
        "hostaddr": parameters.get("hostaddr") or os.environ.get("PGHOSTADDR", ""),
        "port": parameters.get("port") or os.environ.get("PGPORT", ""),
    }
    parts = {name: value.split(",") for name, value in values.items() if value}
    count = max((len(part) for part in parts.values()), default=1)
    # One port is that of every server; of anything else that does not fit libpq has a sentence.
    if len(parts.get("port", ())) == 1:
        parts["port"] *= count
    if any(len(part) != count for part in parts.values()):
        return []
    return [{name: part[i] for name, part in parts.items()} for i in range(count)]


def _race(candidates: list[Parameters], within_s: float) -> AnyPGconn | None:
    """Return the connection of the first that answers, the earlier ones being preferred."""
    began_s = monotonic()
    pending: dict[int, AnyPGconn] = {}
    events: dict[int, int] = {}
    answered: dict[int, AnyPGconn] = {}
    try:
        for number, candidate in enumerate(candidates):
            pgconn = PGconn.connect_start(make_conninfo(**candidate).encode())
            pending[number] = pgconn
            events[number] = POLLOUT
        while pending and (left_s := began_s + within_s - monotonic()) > 0:
            is_preferred = bool(answered) and min(answered) < min(pending)
            if is_preferred or (answered and monotonic() - began_s > _PREFERENCE_S):
                break
            for number in _ready(pending, events, _PREFERENCE_S if answered else left_s):
                pgconn = pending[number]
                status = PollingStatus(pgconn.connect_poll())
                if pgconn.status != ConnStatus.BAD and status in EVENTS:
                    events[number] = EVENTS[status]
                    continue
                del pending[number]
                if status == PollingStatus.OK:
                    answered[number] = pgconn
                else:
                    pgconn.finish()
        return answered.pop(min(answered)) if answered else None
    finally:
        for pgconn in (*pending.values(), *answered.values()):
            pgconn.finish()


def _ready(pending: dict[int, AnyPGconn], events: dict[int, int], seconds: float) -> list[int]:
    """Wait until connections go on or have failed; return their numbers."""
    if failed := [number for number, pgconn in pending.items() if pgconn.status == ConnStatus.BAD]:
        return failed
    numbers = {pgconn.socket: number for number, pgconn in pending.items()}
    poller = poll()
    for socket, number in numbers.items():
        poller.register(socket, events[number])
    return [numbers[socket] for socket, _ in poller.poll(seconds * 1e3)]
