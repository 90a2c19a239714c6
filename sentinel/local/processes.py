"""Programs that we start: logged, watched, and stopped with all that they started themselves."""

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

_LOG_LINES = 20


class ProcessError(CommandError):
    """A program did not do what it was started for: one sentence, and the end of its log."""


def check_port(port: int, variable: str, purpose: str) -> None:
    """Make sure that a port of the loopback interface is free.

    Raises:
        ProcessError: it is not; the message names the environment variable that sets it.
    """
    with socket.socket() as probe:
        probe.settimeout(1)
        busy = probe.connect_ex(("127.0.0.1", port)) == 0
    if not busy:
        with socket.socket() as probe:
            # A listener that has just closed leaves the port in TIME_WAIT, which is no obstacle.
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
    """One program in a session of its own, so that a Ctrl-C in the terminal reaches only us."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        directory: Path,
    ) -> None:
        """Start it; what it prints goes to `log`, which begins anew."""
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
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
        """Process id and time of creation: together they name it for ever."""
        return self._process.pid, self._process.create_time()

    def check(self) -> None:
        """Note what it has started, and make sure that it still runs.

        Raises:
            ProcessError: it has ended.
        """
        self._look_around()
        if (code := self._popen.poll()) is not None:
            raise self._failure(f"ended unexpectedly with status {code}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready`.

        Raises:
            ProcessError: it ended before, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            if ready():
                return
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {seconds:.0f} s")
            time.sleep(0.1)

    def listens_on(self, port: int) -> bool:
        """Whether it or a process of it holds the port: that the answerer is ours."""
        self._look_around()
        for process in self._family:
            with contextlib.suppress(psutil.Error):
                for connection in process.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                        return True
        return False

    def stop(self, seconds: float = 15.0) -> None:
        """Ask it to end (SIGTERM), and after `seconds` end it and all that is left of it."""
        self._look_around()
        if self._popen.poll() is None:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(seconds)
        end_processes(self._family, grace_seconds=1.0)
        self._popen.wait(seconds)

    def _failure(self, what: str) -> ProcessError:
        end = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return ProcessError("\n".join([f"{self.name} {what}; {self.log} ends with:", *end]))

    def _look_around(self) -> None:
        """Remember its descendants: when it dies their parent is forgotten."""
        with contextlib.suppress(psutil.Error):
            known = set(self._family)
            self._family += [
                process
                for process in self._process.children(recursive=True)
                if process not in known
            ]


class Ledger:
    """The programs we run, in a file: a successor finds what a killed predecessor left behind."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist."""
        self._path = path

    def write(self, children: Sequence[Child]) -> None:
        """Record these and no others."""
        self._path.write_text(json.dumps([child.identity for child in children]))

    def end_leftovers(self) -> int:
        """End the recorded programs that still run, with all they started; how many there were."""
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
    """Wait for processes that are ending, and kill those that do not."""
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=grace_seconds)
