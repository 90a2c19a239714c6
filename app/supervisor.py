"""The process that supervises the workers: its network ports are closed, its clock is monotonic.

`bentoml serve` supervises its workers with circus, and BentoML binds circus's two ZeroMQ sockets,
which need no login, to ports of 127.0.0.1. Over the first, `{"command": "add", "properties":
{"cmd": ...}}` starts any program: every user of the machine could run commands as the service. No
setting of BentoML 1.4 moves these sockets, so this changes the arguments of its class.

circus looks at the workers at times of tornado's loop, which are those of the wall clock. After
that was set back by 15 minutes, no look came for 15 minutes, and a killed worker was not replaced
(`make chaos`, `clock_back` before `worker_killed`).

BentoML gives a worker a day to end: one that hung would keep its service from ending.
"""

from __future__ import annotations

import tempfile
from time import monotonic

from bentoml._internal.utils.circus import Arbiter
from tornado.ioloop import IOLoop

KEEPS_SOCKET = "SENTINEL_KEEPS_SOCKET"
"""Variable of workers whose socket other workers use after them: those of `--reload`."""
CHECK_EVERY_S = 0.25
"""Time between two looks at the workers. With BentoML's 10 s a killed worker was missed for up to
14 s (docs/decisions/0022-journal.md)."""
KILL_AFTER_S = 30.0
"""Time from the request to a worker to end until it is killed. It takes requests for 11 s at most
(`app/connections/draining.py`), answers them in 10 s and stores its shadow scores in 5 s."""

_bentoml_init = Arbiter.__init__


def prepare_supervisor() -> None:
    """Set the ports, times and clock of the supervisors that are created afterwards.

    Their sockets are bound inside of their process instead of on ports. The process of `bentoml
    serve --reload` that watches the files has to connect, so with it they are Unix sockets in a
    directory that only their owner may enter.
    """
    Arbiter.__init__ = _private_init
    IOLoop.time = _monotonic  # type: ignore[method-assign]


def _monotonic(self: IOLoop) -> float:  # noqa: ARG001 - as in the class
    return monotonic()


def _private_init(self: Arbiter, *arguments: object, **options: object) -> None:
    folder = None
    place = "inproc://supervisor-"
    if options.get("plugins"):
        folder = tempfile.TemporaryDirectory(prefix="sentinel-supervisor-")
        place = f"ipc://{folder.name}/"
    options["check_delay"] = CHECK_EVERY_S
    options |= {"endpoint": f"{place}control", "pubsub_endpoint": f"{place}events"}
    _bentoml_init(self, *arguments, **options)
    for watcher in self.iter_watchers():
        watcher.graceful_timeout = KILL_AFTER_S
        if folder:
            # Each starts its worker with a copy of the environment that it made before.
            watcher.env[KEEPS_SOCKET] = "1"
    if folder:
        self.exit_stack.callback(folder.cleanup)
