"""Versions load on threads: one that hangs or fails delays the others for a short time only."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from registry.client.base import RegisteredVersion
from registry.store import background_loads
from registry.store.background_loads import LOADS_AT_ONCE, BackgroundLoads, StillLoading


def versions(*names: str) -> set[RegisteredVersion]:
    return {RegisteredVersion(name, 1, 0) for name in names}


class Registry:
    """Loads that hang for some names until `release`, and fail for others."""

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.failing: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.release = threading.Event()

    def load(self, version: RegisteredVersion) -> Exception | None:
        self.calls[version.name] += 1
        if version.name in self.hanging:
            self.release.wait(10)
        return OSError(version.name) if version.name in self.failing else None


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def loads(registry: Registry) -> BackgroundLoads:
    return BackgroundLoads(registry.load, patience_s=0.1)


def test_a_call_waits_for_every_load_that_makes_progress(
    registry: Registry, loads: BackgroundLoads
) -> None:
    needed = versions(*(f"m{number}" for number in range(40)))
    assert loads.results(needed) == dict.fromkeys(needed)
    assert sum(registry.calls.values()) == 40


def test_a_load_that_hangs_does_not_hold_up_others(
    registry: Registry, loads: BackgroundLoads
) -> None:
    registry.hanging = {"slow"}
    loaded = loads.results(versions("slow", "a", "b"))
    assert {version.name: type(error) for version, error in loaded.items()} == {
        "slow": StillLoading, "a": type(None), "b": type(None)
    }  # fmt: skip
    begun = time.monotonic()
    loaded = loads.results(versions("slow", "c"))
    assert loaded[RegisteredVersion("c", 1, 0)] is None
    assert time.monotonic() - begun < 0.1, "nobody waits for it twice"
    registry.release.set()
    while loads.results(versions("slow"))[RegisteredVersion("slow", 1, 0)]:
        time.sleep(0.01)
    assert registry.calls["slow"] == 1


def test_a_failure_is_tried_again_after_a_delay_and_counts_until_then(
    registry: Registry, loads: BackgroundLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(background_loads, "monotonic", lambda: now_s[0])
    registry.failing = {"bad"}
    (bad,) = versions("bad")
    for passed_s, calls in ((0.0, 1), (0.4, 1), (0.2, 2), (0.8, 2), (0.3, 3)):
        now_s[0] += passed_s
        for _ in range(10):
            assert str(loads.results({bad})[bad]) == "bad"
            time.sleep(0.005)
        assert registry.calls["bad"] == calls
    registry.failing.clear()
    now_s[0] += 60
    while loads.results({bad})[bad]:
        time.sleep(0.005)
    assert registry.calls["bad"] == 4


def test_names_that_hang_again_and_again_do_not_take_the_threads_of_new_versions(
    registry: Registry, loads: BackgroundLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = versions(*(f"bad{number}" for number in range(LOADS_AT_ONCE)))
    registry.failing = {version.name for version in bad}
    loads.results(bad)
    registry.hanging = registry.failing
    monkeypatch.setattr(background_loads, "_FIRST_DELAY_S", 0.0)
    deadline = time.monotonic() + 5
    while any(registry.calls[name] < 2 for name in registry.failing):
        assert time.monotonic() < deadline
        loads.results(bad)
    (new,) = versions("new")
    assert loads.results({*bad, new})[new] is None
    registry.release.set()


def test_a_forgotten_version_is_loaded_again(registry: Registry, loads: BackgroundLoads) -> None:
    registry.failing = {"bad"}
    (bad,) = versions("bad")
    loads.results({bad})
    loads.forget_all_but(set())
    loads.results({bad})
    assert registry.calls["bad"] == 2
