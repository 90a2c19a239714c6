"""Failures are counted by source for a time, and of a bounded number of sources."""

from __future__ import annotations

from web.failure_limit import FailureLimit


def test_a_source_is_refused_after_its_failures_and_until_they_are_old() -> None:
    now = [0.0]
    limit = FailureLimit(2, 60.0, now_s=lambda: now[0])
    limit.add("a")
    assert not limit.is_reached("a")
    now[0] = 59.0
    limit.add("a")
    assert limit.is_reached("a")
    assert not limit.is_reached("b")
    now[0] = 60.0
    assert not limit.is_reached("a")


def test_the_sources_that_failed_longest_ago_are_forgotten() -> None:
    limit = FailureLimit(1, 60.0, sources=2)
    for source in ("a", "b", "c"):
        limit.add(source)
    assert [limit.is_reached(one) for one in ("a", "b", "c")] == [False, True, True]
