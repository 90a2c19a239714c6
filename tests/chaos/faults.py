"""Carry out a schedule of faults on a running world."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import psycopg

from sentinel.local.postgres.embedded import EmbeddedPostgresError
from tests.chaos.clients import Shared
from tests.chaos.disk import CannotMount
from tests.chaos.history import HistoryLog
from tests.chaos.payments import TENANTS
from tests.chaos.schedule import INSTANT, Fault
from tests.chaos.world import VERSIONS, World

SKEW_S = 900
"""How far the clock moves, in seconds."""
RECOVERY_S = 2.0
"""Shortest time between two lasting faults, in seconds, where the one before took longer."""
_THRESHOLDS = (0.02, 0.05, 0.1, 0.3)


class Faults:
    """Carries out a schedule in two threads: one for lasting faults, one for instant ones.

    Args:
        world: system that suffers them.
        shared: what the clients read of them.
        log: history that is written.
        show: function that is called with one line for each fault.

    Attributes:
        done: number of faults that were carried out, by kind.
        left_out: reason by kind, of those that cannot be carried out here.
    """

    def __init__(
        self, world: World, shared: Shared, log: HistoryLog, show: Callable[[str], None]
    ) -> None:
        self._world = world
        self._shared = shared
        self._log = log
        self._show = show
        self._failures: list[BaseException] = []
        self.done: dict[str, int] = {}
        self.left_out: dict[str, str] = {}

    def run(self, schedule: Sequence[Fault], minutes: float) -> None:
        """Carry out the schedule; return when the last fault is over.

        Where the machine is slow, faults come later, and the last ones are left out.

        Args:
            schedule: faults in order of time.
            minutes: length of the run.

        Raises:
            Exception: a fault could not be ended, so the system did not come back.
        """
        self._began_s = time.monotonic()
        self._end_s = minutes * 60
        groups = (
            [fault for fault in schedule if fault.kind not in INSTANT],
            [fault for fault in schedule if fault.kind in INSTANT],
        )
        threads = [threading.Thread(target=self._follow, args=(group,)) for group in groups]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _follow(self, schedule: Sequence[Fault]) -> None:
        free_s = 0.0
        try:
            for fault in schedule:
                due_s = max(fault.at_s, free_s)
                if due_s + fault.seconds > self._end_s or self._failures:
                    return
                time.sleep(max(0.0, due_s - self._now_s()))
                self._carry_out(fault)
                free_s = self._now_s() + RECOVERY_S * (fault.kind not in INSTANT)
        except BaseException as error:  # noqa: BLE001 - raised by `run`
            self._failures.append(error)

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _carry_out(self, fault: Fault) -> None:
        carry_out: Callable[[Fault], None] = getattr(self, f"_{fault.kind}")
        at_s = self._now_s()
        self._log.note(time.time(), "fault", fault=fault.kind, seconds=fault.seconds)
        self._shared.faults.append(fault.kind)
        try:
            carry_out(fault)
        except CannotMount:
            self.left_out[fault.kind] = "no disk can be mounted here (run as root)"
            return
        except NoClock:
            self.left_out[fault.kind] = "there is no libfaketime"
            return
        finally:
            self._shared.faults.remove(fault.kind)
        self.done[fault.kind] = self.done.get(fault.kind, 0) + 1
        took_s = self._now_s() - at_s
        self._log.note(time.time(), "fault over", fault=fault.kind)
        self._show(f"{at_s:7.1f} s  {fault.kind.replace('_', ' ')}, {took_s:.1f} s")

    # Processes of the service

    def _worker_killed(self, _: Fault) -> None:
        self._world.signal_workers(signal.SIGKILL)

    def _worker_stopped(self, fault: Fault) -> None:
        self._world.signal_workers(signal.SIGSTOP)
        time.sleep(fault.seconds)
        self._world.signal_workers(signal.SIGCONT)

    def _service_killed(self, fault: Fault) -> None:
        self._world.kill_service()
        time.sleep(fault.seconds)
        self._world.start_service()

    def _service_restarted(self, _: Fault) -> None:
        self._world.stop_service()
        self._world.start_service()

    def _earlier_release(self, fault: Fault) -> None:
        self._shared.own_types_served.clear()
        self._world.stop_service()
        self._world.start_service(earlier=True)
        self._world.wait_until_tenant_is_served(TENANTS[0])  # it compiles its kernels first
        time.sleep(fault.seconds)
        self._world.stop_service()
        self._world.start_service()
        self._shared.own_types_served.set()

    # Postgres

    def _postgres_killed(self, fault: Fault) -> None:
        self._world.server.kill_first_process()
        time.sleep(fault.seconds)
        self._world.server.start()

    def _postgres_backend_killed(self, _: Fault) -> None:
        with suppress(psycopg.Error):
            self._world.server.kill_session()
        self._await_postgres()

    def _postgres_stopped(self, fault: Fault) -> None:
        with self._world.server.frozen():
            time.sleep(fault.seconds)

    def _postgres_read_only(self, fault: Fault) -> None:
        with self._world.server.read_only():
            time.sleep(fault.seconds)

    def _postgres_disk_full(self, fault: Fault) -> None:
        with self._world.postgres_disk.full():
            time.sleep(fault.seconds)
        self._await_postgres()

    def _await_postgres(self) -> None:
        """Start Postgres where it has given up, and wait until it answers."""
        for _ in range(300):
            with suppress(psycopg.Error, EmbeddedPostgresError):
                if not self._world.server.is_running():
                    self._world.server.start()
                self._world.server.execute("SELECT 1")
                return
            time.sleep(0.1)
        raise TimeoutError("Postgres does not come back.")

    # The line to Postgres

    def _line_refused(self, fault: Fault) -> None:
        with self._world.proxy.refused():
            time.sleep(fault.seconds)

    def _line_stalled(self, fault: Fault) -> None:
        with self._world.proxy.stalled():
            time.sleep(fault.seconds)

    def _journal_disk_full(self, fault: Fault) -> None:
        """Fill the journal's disk half-way through a time without Postgres."""
        with self._world.proxy.refused():
            time.sleep(fault.seconds / 2)
            with self._world.journal_disk.full():
                time.sleep(fault.seconds)

    def _connections_cut(self, _: Fault) -> None:
        self._world.proxy.cut()

    def _connections_reset(self, _: Fault) -> None:
        self._world.proxy.cut(abruptly=True)

    def _reply_of_commit_cut(self, _: Fault) -> None:
        """Let Postgres commit a batch and cut the line before the service learns of it."""
        self._world.proxy.cut_before_reply(b"\0insert")

    def _statements_forgotten(self, _: Fault) -> None:
        """Have Postgres forget prepared statements, as behind a pooler that resets sessions."""
        self._world.proxy.forget_statements()

    def _sessions_terminated(self, _: Fault) -> None:
        if any(fault.startswith("postgres") for fault in self._shared.faults):
            return  # it may not answer
        with suppress(psycopg.Error):
            self._world.server.cut()

    # MLflow and the clock

    def _mlflow_killed(self, fault: Fault) -> None:
        self._world.kill_mlflow()
        time.sleep(fault.seconds)
        self._world.start_mlflow()

    def _mlflow_stopped(self, fault: Fault) -> None:
        self._world.signal_mlflow(signal.SIGSTOP)
        time.sleep(fault.seconds)
        self._world.signal_mlflow(signal.SIGCONT)

    def _clock_forward(self, fault: Fault) -> None:
        with self._clock(f"+{SKEW_S}"):
            time.sleep(fault.seconds)

    def _clock_back(self, fault: Fault) -> None:
        with self._clock(f"-{SKEW_S}"):
            time.sleep(fault.seconds)

    @contextmanager
    def _clock(self, offset: str) -> Iterator[None]:
        if self._world.clock is None:
            raise NoClock
        self._world.clock.write_text(f"{offset}\n")
        try:
            yield
        finally:
            self._world.clock.write_text("+0\n")

    # What people do meanwhile

    def _alias_moved(self, fault: Fault) -> None:
        tenant = TENANTS[fault.choice % len(TENANTS)]
        self._world.move_alias(tenant, 1 + fault.choice // len(TENANTS) % VERSIONS)

    def _policy_changed(self, fault: Fault) -> None:
        tenant = TENANTS[fault.choice % len(TENANTS)]
        threshold = _THRESHOLDS[fault.choice // len(TENANTS) % len(_THRESHOLDS)]
        status, sent = 0, time.time()
        with suppress(httpx.HTTPError):
            status = self._put(tenant.slug, {"threshold": threshold}).status_code
        self._log.note(
            sent, "policy", tenant=tenant.slug, threshold=threshold, status=status, got=time.time()
        )

    def _put(self, slug: str, policy: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._world.keys[slug]}"}
        return httpx.put(
            f"{self._world.url}/policy", json=policy, headers=headers, timeout=5, trust_env=False
        )


class NoClock(Exception):
    """The clock of the service cannot be moved here."""
