"""CPU time of the service and of Postgres, read from the kernel's accounts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil


class CpuMeter:
    """Adds up the CPU seconds of two families of processes.

    Args:
        home: the benchmark's home, whose Postgres is measured.
    """

    def __init__(self, home: Path) -> None:
        self._postmaster = home / "postgres" / "data" / "postmaster.pid"

    def service_s(self) -> float:
        """CPU seconds of the `bentoml serve` that this process started, and of its workers."""
        return _total_s(self._service())

    def postgres_s(self) -> float:
        """CPU seconds of Postgres: the postmaster and its living backends."""
        postmaster = psutil.Process(int(self._postmaster.read_text().splitlines()[0]))
        return _total_s([postmaster, *postmaster.children(recursive=True)])

    def service_rss_mb(self) -> float:
        """Resident memory of the largest service process, a worker, in MB."""
        return max(p.memory_info().rss for p in self._service()) / 1e6

    @staticmethod
    def _service() -> list[psutil.Process]:
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "service:Sentinel" in process.cmdline():
                    found.append(process)
        return found


def _total_s(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total
