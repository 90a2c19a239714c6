"""Start programs, log and check them, and stop them together with their descendants."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from scoring.errors import CommandError
from sentinel.home import private_directory, write_private

_LOG_LINES = 20


class ProcessError(CommandError):
    """A program failed; the message is one sentence and the end of the program's log."""


def failure(name: str, what: str, log: Path) -> ProcessError:
    """Return the error of a program.

    Args:
        name: name of the program.
        what: what happened to it, as the rest of a sentence that begins with the name.
        log: file of its output, whose end the message has.
    """
    end = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return ProcessError("\n".join([f"{name} {what}; {log} ends with:", *end]))


def check_port(port: int, variable: str, purpose: str) -> None:
    """Check that a port of the loopback interface is free.

    Args:
        port: port that is checked.
        variable: environment variable that sets the port.
        purpose: program that the port is for.

    Raises:
        ProcessError: the port is not free; the message names the variable.
    """
    with socket.socket() as probe:
        probe.settimeout(1)
        busy = probe.connect_ex(("127.0.0.1", port)) == 0
    if not busy:
        with socket.socket() as probe:
            # A listener that has just closed leaves the port in TIME_WAIT, but it can be reused.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except PermissionError:
                raise ProcessError(
                    f"Port {port} for {purpose} may not be used by you: choose one above 1023 "
                    f"with {variable}=<port>."
                ) from None
            except OSError:
                busy = True
    if busy:
        raise ProcessError(
            f"Port {port} for {purpose} is used by another program: stop that, or choose another "
            f"port with {variable}=<port>."
        )


class Child:
    """One program in a session of its own, so that Ctrl-C in the terminal does not end it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        directory: Path,
    ) -> None:
        """Start the program.

        Args:
            name: name of the program in messages.
            command: command line.
            log: file that its output overwrites.
            environment: environment of the process.
            directory: working directory of the process.
        """
        self.name = name
        self.log = log
        private_directory(log.parent)
        with log.open("w") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=directory,
                start_new_session=True,
            )
        self._process = psutil.Process(self._popen.pid)
        self._family = [self._process]

    @property
    def identity(self) -> tuple[int, float]:
        """Process id and time of creation, which together are unique."""
        return self._process.pid, self._process.create_time()

    def check(self) -> None:
        """Record the program's descendants, and check that it still runs.

        Raises:
            ProcessError: the program has ended.
        """
        self._record_descendants()
        if (code := self._popen.poll()) is not None:
            raise failure(self.name, f"ended unexpectedly with status {code}", self.log)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready` returns true.

        Args:
            ready: function that is called ten times a second.
            seconds: longest wait.

        Raises:
            ProcessError: the program ended first, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            if ready():
                return
            if time.monotonic() > deadline:
                raise failure(self.name, f"was not ready after {seconds:.0f} s", self.log)
            time.sleep(0.1)

    def listens_on(self, port: int) -> bool:
        """Whether the program or a descendant, not another program, listens on the port."""
        self._record_descendants()
        for process in self._family:
            with contextlib.suppress(psutil.Error):
                for connection in process.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                        return True
        return False

    def stop(self, seconds: float = 15.0) -> None:
        """Send SIGTERM, and after `seconds` kill the program and its remaining descendants."""
        self._record_descendants()
        if self._popen.poll() is None:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(seconds)
        end_processes(self._family, grace_seconds=1.0)
        self._popen.wait(seconds)

    def _record_descendants(self) -> None:
        """Record the descendants, which cannot be found once the program has ended."""
        with contextlib.suppress(psutil.Error):
            known = set(self._family)
            self._family += [
                process
                for process in self._process.children(recursive=True)
                if process not in known
            ]


class Ledger:
    """A file of the running programs, by which a later run ends those that a killed run left."""

    def __init__(self, path: Path) -> None:
        """Set the path of the file, which need not exist."""
        self._path = path

    def write(self, children: Sequence[Child]) -> None:
        """Record these programs in place of those recorded before."""
        write_private(self._path, json.dumps([child.identity for child in children]))

    def end_leftovers(self) -> int:
        """End the recorded programs that still run, with their descendants; return their number."""
        leftovers = []
        with contextlib.suppress(FileNotFoundError, ValueError):
            for pid, created in json.loads(self._path.read_text()):
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if abs(process.create_time() - created) < 1.0:
                        leftovers.append(process)
        family = []
        for process in leftovers:
            with contextlib.suppress(psutil.Error):
                family += [process, *process.children(recursive=True)]
                process.terminate()
        end_processes(family, grace_seconds=10.0)
        self._path.unlink(missing_ok=True)
        return len(leftovers)


def end_processes(processes: Sequence[psutil.Process], grace_seconds: float) -> None:
    """Wait for processes that are ending, and kill those that do not end in time."""
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=grace_seconds)
