"""Read the CPU time and memory of a system and of Postgres from the kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.load.clients import Usage


class Meter:
    """Reads the CPU time and memory of a system's processes, and the CPU time of Postgres.

    Args:
        pid: process id of the system's first process, which is measured with its descendants.
        postgres_home: home of the embedded Postgres that is measured.
    """

    def __init__(self, pid: int, postgres_home: Path) -> None:
        self._processes = family(pid)
        postmaster = postgres_home / "postgres" / "data" / "postmaster.pid"
        self._postmaster = psutil.Process(int(postmaster.read_text().splitlines()[0]))

    def usage(self) -> Usage:
        """Return the CPU seconds so far, including those of Postgres's backends that have ended."""
        ended = self._postmaster.cpu_times()
        postgres = [self._postmaster, *self._postmaster.children()]
        return Usage(
            _total_s(self._processes),
            _total_s(postgres) + ended.children_user + ended.children_system,
        )

    def rss_mb(self) -> float:
        """Return the resident memory of the largest process, a worker, in MB."""
        return max(process.memory_info().rss for process in self._processes) / 1e6

    def pss_mb(self) -> float:
        """Return the memory of all processes, with shared pages counted once, in MB."""
        return sum(process.memory_full_info().pss for process in self._processes) / 1e6


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _total_s(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total
