"""Bootstrap intervals: their ends, and the draws they are computed from."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.bootstrap import draws, percentile_interval


def test_the_ends_are_the_percentiles_2_5_and_97_5() -> None:
    interval = percentile_interval(0.5, np.arange(1001) / 1000)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, 0.025, 0.975))


def test_every_draw_has_as_many_rows_as_the_sample() -> None:
    counts = np.array([5, 0, 90, 5])
    drawn = np.concatenate(list(draws(counts, np.ones(4), 400, np.random.default_rng(0))))
    assert drawn.shape == (400, 4)
    assert (drawn.sum(axis=1) == 100).all()
    assert (drawn[:, 1] == 0).all()
    assert drawn.mean(axis=0) == pytest.approx(counts, abs=1)


def test_many_groups_are_drawn_in_chunks() -> None:
    counts = np.ones(30_000, dtype=np.int64)
    sizes = [
        chunk.shape[0] for chunk in draws(counts, np.ones(30_000), 100, np.random.default_rng(0))
    ]
    assert len(sizes) > 1
    assert sum(sizes) == 100
