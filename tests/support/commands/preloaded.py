"""A process that has imported the heavy packages, and forks a child for each command of a test.

Importing MLflow, LightGBM, SHAP and scikit-learn takes a command of `training` 4 s of CPU, more
than what most tests have it do. The child is as if `python -m <module>` had been started: it has
the arguments, environment, folder, standard streams and signals of its own, is in a new session,
and imports every module of the project itself. What differs:

- Packages that are not the project's are imported, so one that is not installed, or an import that
  takes long, goes unnoticed. Settings that a package reads while it is imported are those of the
  tests. None of it has opened a file, begun a thread or made a random number by then.
- The interpreter's own start is not part of it: its options, `PYTHON*` variables, the locale.

So each command is also started by a real interpreter, in a few tests of its file.
"""

from __future__ import annotations

import gc
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGES = (
    *("httpx", "jinja2", "lightgbm", "matplotlib.pyplot", "mlflow", "mlflow.pyfunc", "numba"),
    *("optuna", "pandas", "psycopg", "pyarrow.csv", "pyarrow.parquet", "scipy.stats", "shap"),
    *("sklearn.isotonic", "sqlalchemy"),
)
SETTINGS = {
    # What `registry` sets before it imports MLflow.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A thread would not survive the fork.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Variables of this process, which the packages read while they are imported."""
POLL_S = 0.02


class Server:
    """Accepts a command from each connection, and sends back its process id and its status."""

    def __init__(self, listener: socket.socket) -> None:
        """Serve at a listening socket; the packages are imported already."""
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._running: dict[int, socket.socket] = {}

    def next_command(self) -> dict[str, Any]:
        """Serve until a child begins; returns in the child alone, which then runs the command."""
        while True:
            for key, _ in self._selector.select(POLL_S if self._running else None):
                connection = key.fileobj
                if connection is not self._listener:
                    self._kill(connection)
                elif command := self._accept():
                    return command
            self._report_ended()

    def _accept(self) -> dict[str, Any] | None:
        """Fork a child for a new connection; the command in the child, None here."""
        connection, _ = self._listener.accept()
        size, streams, _, _ = socket.recv_fds(connection, 8, 3)
        with connection.makefile("rb") as file:
            command: dict[str, Any] = json.loads(file.read(int.from_bytes(size)))
        if pid := os.fork():
            for stream in streams:
                os.close(stream)
            connection.sendall(pid.to_bytes(8))
            self._running[pid] = connection
            self._selector.register(connection, selectors.EVENT_READ)
            return None
        self._selector.close()
        for other in (connection, self._listener, *self._running.values()):
            other.close()
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return command

    def _kill(self, connection: Any) -> None:
        """Kill the command whose caller was killed."""
        self._selector.unregister(connection)
        for pid, caller in self._running.items():
            if caller is connection:
                os.kill(pid, signal.SIGKILL)

    def _report_ended(self) -> None:
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                connection = self._running.pop(pid)
                if connection.fileno() in self._selector.get_map():
                    self._selector.unregister(connection)
                    connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, signed=True))
                connection.close()


def threads() -> int:
    """Count the threads of this process, those of C libraries too."""
    return len(list(Path("/proc/self/task").iterdir())) if sys.platform == "linux" else 1


def reopened(stream: io.TextIOWrapper, mode: str) -> io.TextIOWrapper:
    """A standard stream on what its descriptor is now, buffered as before."""
    unbuffered = mode == "w" and stream.write_through
    return io.TextIOWrapper(
        open(stream.fileno(), f"{mode}b", 0 if unbuffered else -1, closefd=False),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def take_over(command: dict[str, Any]) -> None:
    """Make this child the command's process."""
    # Those of this process know whether the files that it was started with can be sought in.
    sys.stdin = reopened(sys.stdin, "r")
    sys.stdout = reopened(sys.stdout, "w")
    sys.stderr = reopened(sys.stderr, "w")
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["directory"])
    sys.path[0] = command["directory"]
    sys.argv = [command["module"], *command["arguments"]]


if __name__ == "__main__":
    os.environ.update(SETTINGS)
    for package in PACKAGES:
        import_module(package)
    assert threads() == 1, "a thread would not survive the fork"
    gc.collect()
    gc.freeze()  # so that a collection in a child copies no page of the packages
    asked = Server(socket.socket(fileno=int(sys.argv[1]))).next_command()
    take_over(asked)
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
