"""The background loop: when it runs, what it survives, and how it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest

from observability.background_loop import BackgroundLoop

logger = logging.getLogger("sentinel.tests.background_loop")
NEVER_S = 3600.0


def a_loop(
    step: Callable[[], None], interval_s: float = NEVER_S, *, at_start: bool = True, **kwargs: Any
) -> BackgroundLoop:
    return BackgroundLoop(
        "tested", step, interval_s, logger=logger, task="counting", runs_at_start=at_start, **kwargs
    )


def test_the_first_run_begins_at_once_where_it_is_wanted() -> None:
    ran = threading.Event()
    loop = a_loop(ran.set)
    loop.start()
    assert ran.wait(10)
    loop.stop()


def test_the_first_run_waits_for_the_interval_where_it_is_not() -> None:
    runs: list[float] = []
    loop = a_loop(lambda: runs.append(monotonic()), at_start=False)
    loop.start()
    sleep(0.05)
    loop.stop()
    assert runs == []

    ran = threading.Event()
    begun_s = monotonic()
    loop = a_loop(ran.set, 0.05, at_start=False)
    loop.start()
    assert ran.wait(10)
    assert monotonic() - begun_s >= 0.05
    loop.stop()


def test_runs_follow_each_other_on_one_daemon_thread_of_the_given_name() -> None:
    threads: list[threading.Thread] = []
    enough = threading.Event()

    def step() -> None:
        threads.append(threading.current_thread())
        if len(threads) >= 3:
            enough.set()

    loop = a_loop(step, 0.001)
    loop.start()
    assert enough.wait(10)
    loop.stop()
    assert len(set(threads)) == 1
    assert (threads[0].name, threads[0].daemon) == ("tested", True)


def test_a_run_that_fails_is_logged_once_with_its_traceback_and_the_next_one_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs: list[int] = []
    recovered = threading.Event()

    def step() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise LookupError("no count")
        recovered.set()

    loop = a_loop(step, 0.001)
    with caplog.at_level("WARNING", logger.name):
        loop.start()
        assert recovered.wait(10)
        loop.stop()
    failed, over = caplog.records
    assert failed.getMessage() == "counting failed; trying again"
    assert failed.exc_info
    assert failed.exc_info[0] is LookupError
    assert over.getMessage() == "counting works again"


def test_another_fault_of_a_run_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    faults = iter([LookupError("a"), LookupError("b"), ValueError("b"), ValueError("b")])
    enough = threading.Event()

    def step() -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        enough.set()

    loop = a_loop(step, 0.001)
    with caplog.at_level("ERROR", logger.name):
        loop.start()
        assert enough.wait(10)
        loop.stop()
    assert [str(record.exc_info and record.exc_info[1]) for record in caplog.records] == [
        "a",
        "b",
        "b",
    ]


def test_stop_waits_for_the_run_that_has_begun() -> None:
    begun, finished = threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        sleep(0.1)
        finished.set()

    loop = a_loop(step)
    loop.start()
    assert begun.wait(10)
    loop.stop()
    assert finished.is_set()


def test_stop_ends_a_wait_for_the_next_run() -> None:
    ran = threading.Event()
    loop = a_loop(ran.set)
    loop.start()
    assert ran.wait(10)
    begun_s = monotonic()
    loop.stop()
    assert monotonic() - begun_s < 5


def test_a_run_that_blocks_sees_that_the_loop_is_stopping() -> None:
    blocking = threading.Event()

    def step() -> None:
        while not loop.is_stopping:
            blocking.set()
            sleep(0.001)

    loop = a_loop(step)
    assert not loop.is_stopping
    loop.start()
    assert blocking.wait(10)
    loop.stop()


@pytest.mark.parametrize("fails", [False, True])
def test_on_stop_is_the_last_call_on_the_thread(fails: bool) -> None:
    calls: list[tuple[str, str]] = []
    ran = threading.Event()

    def step() -> None:
        calls.append(("step", threading.current_thread().name))
        ran.set()
        if fails:
            raise LookupError

    loop = a_loop(step, on_stop=lambda: calls.append(("on_stop", threading.current_thread().name)))
    loop.start()
    assert ran.wait(10)
    loop.stop()
    assert calls == [("step", "tested"), ("on_stop", "tested")]


def test_stop_before_start_and_twice_does_nothing() -> None:
    loop = a_loop(lambda: None)
    loop.stop()
    loop.start()
    loop.stop()
    loop.stop()
