"""The split by time: disjoint parts in order, each with enough frauds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.split import last_busy_step, split
from training.errors import TrainingError


def hours(rows_per_hour: list[int]) -> np.ndarray:
    return np.repeat(np.arange(1, len(rows_per_hour) + 1), rows_per_hour).astype(float)


def frauds(count: int, every: int = 10) -> np.ndarray:
    return np.arange(count) % every == 0


@settings(deadline=None)
@given(st.lists(st.integers(100, 300), min_size=48, max_size=240))
def test_parts_are_in_time_order_disjoint_and_cover_what_is_used(traffic: list[int]) -> None:
    step = hours(traffic)
    parts = split(step, frauds(step.size, every=3), until_step=int(step[-1]))
    rows = [part.rows for part in parts]
    assert rows[0].start == 0
    assert rows[-1].stop == step.size
    for earlier, later in pairwise(rows):
        assert earlier.stop == later.start
        assert step[earlier.stop - 1] < step[later.start], "no step is in two parts"
    assert parts.learning.stop == parts.stopping.start
    assert parts.stopping.stop == parts.fit.rows.stop
    assert step[parts.learning.stop - 1] < step[parts.stopping.start]


def test_parts_have_their_shares() -> None:
    step = hours([100] * 480)
    few = frauds(step.size, every=20)
    parts = split(step, few)
    shares = [part.row_count / step.size for part in parts]
    assert shares == pytest.approx([0.55, 0.15, 0.15, 0.15], abs=0.005)
    assert sum(part.fraud_count for part in parts) == few.sum()


def test_where_frauds_abound_the_small_parts_have_just_enough_of_them() -> None:
    step = hours([100] * 480)
    parts = split(step, frauds(step.size, every=10))
    for part in (parts.calibrate, parts.threshold, parts.test):
        assert part.fraud_count == pytest.approx(400, rel=0.05)
    assert parts.fit.row_count / step.size == pytest.approx(0.75, abs=0.01)
    parts = split(step, frauds(step.size, every=2))
    shares = [part.row_count / step.size for part in parts]
    assert shares == pytest.approx([0.85, 0.05, 0.05, 0.05], abs=0.005)


def test_a_tail_without_traffic_is_left_out() -> None:
    step = hours([100] * 240 + [3] * 96)
    assert last_busy_step(step) == 240
    parts = split(step, frauds(step.size))
    assert (parts.until_step, parts.dropped_rows) == (240, 288)
    assert parts.test.last_step == 240


def test_steady_traffic_is_used_to_the_end() -> None:
    assert last_busy_step(hours([100] * 250)) == 250


def test_quiet_nights_and_a_quiet_day_in_the_middle_are_kept() -> None:
    day = [1] * 8 + [200] * 16
    assert last_busy_step(hours(day * 4 + [2] * 24 + day * 4)) == 9 * 24


def test_a_given_last_step_ends_the_test_part() -> None:
    step = hours([100] * 240 + [3] * 96)
    parts = split(step, frauds(step.size), until_step=300)
    assert parts.test.last_step == 300


def test_a_last_step_before_the_first_row_is_refused_with_that_of_the_row() -> None:
    step = 492_000 + hours([100] * 240)
    with pytest.raises(TrainingError, match="up to hour 5, only from hour 492001 on"):
        split(step, frauds(step.size), until_step=5)


@pytest.mark.parametrize("until_step", [1, 2])
def test_too_few_steps_are_refused_in_a_sentence(until_step: int) -> None:
    step = hours([100] * 240)
    with pytest.raises(TrainingError, match="too few steps"):
        split(step, frauds(step.size), until_step=until_step)


def test_a_part_with_too_few_frauds_is_named() -> None:
    step = hours([100] * 240)
    is_fraud = frauds(step.size)
    threshold = split(step, is_fraud).threshold.rows
    is_fraud[threshold] = False
    is_fraud[threshold.start : threshold.start + 9] = True
    with pytest.raises(
        TrainingError, match=r"The threshold part .* holds 9 frauds; at least 10 are needed"
    ):
        split(step, is_fraud)


def test_too_few_frauds_within_the_last_step_name_that_limit_too() -> None:
    step = hours([100] * 240)
    is_fraud = np.zeros(step.size, dtype=bool)
    with pytest.raises(TrainingError, match=r"Give more transactions\.$"):
        split(step, is_fraud)
    with pytest.raises(TrainingError, match=r"more transactions or a later --until-step\.$"):
        split(step, is_fraud, until_step=100)


def test_a_part_without_honest_payments_is_named() -> None:
    step = hours([100] * 240)
    with pytest.raises(TrainingError, match="holds 0 legitimate transactions"):
        split(step, np.ones(step.size, dtype=bool))
