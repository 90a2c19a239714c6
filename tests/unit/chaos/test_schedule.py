"""A seed decides the schedule of faults."""

from __future__ import annotations

import itertools

from tests.chaos.faults import Faults
from tests.chaos.schedule import INSTANT, LASTING, schedule


def test_a_seed_always_has_the_same_schedule() -> None:
    assert schedule(7, 5) == schedule(7, 5)
    assert schedule(7, 5) != schedule(8, 5)
    first = schedule(1, 1)[0]
    assert (first.at_s, first.kind, first.seconds) == (3.0, "line_stalled", 0.36)


def test_a_longer_run_has_the_faults_of_a_shorter_one() -> None:
    assert set(schedule(3, 2)) < set(schedule(3, 10))


def test_lasting_faults_do_not_overlap_and_end_before_the_run_does() -> None:
    for seed in range(20):
        lasting = [fault for fault in schedule(seed, 5) if fault.kind in LASTING]
        for one, other in itertools.pairwise(lasting):
            assert one.at_s + one.seconds < other.at_s
        assert lasting[-1].at_s + lasting[-1].seconds < 300


def test_every_kind_comes_before_one_comes_again() -> None:
    kinds = [fault.kind for fault in schedule(5, 10) if fault.kind in LASTING]
    assert len(kinds) > len(LASTING)
    assert set(kinds[: len(LASTING)]) == set(LASTING)


def test_every_kind_of_a_schedule_can_be_carried_out() -> None:
    assert [kind for kind in (*LASTING, *INSTANT) if not hasattr(Faults, f"_{kind}")] == []
