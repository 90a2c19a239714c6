"""How well one column alone separates the labels."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.columns import BoolArray, FloatArray
from training.event_types.leaks import Separation, separation

N = 10_000


def labels(frauds: int, seed: int = 0) -> BoolArray:
    is_fraud = np.zeros(N, dtype=np.bool_)
    is_fraud[np.random.default_rng(seed).choice(N, frauds, replace=False)] = True
    return is_fraud


def of_numbers(numbers: FloatArray, is_fraud: BoolArray) -> Separation | None:
    codes = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    codes[np.isnan(numbers)] = -1
    return separation(codes, numbers, is_fraud)


@pytest.mark.parametrize("frauds", [20, 100, 5_000, 9_900])
def test_a_score_that_separates_is_found_whatever_the_share_of_frauds(frauds: int) -> None:
    is_fraud = labels(frauds)
    noise = np.random.default_rng(1).random(N)
    found = of_numbers(is_fraud + noise, is_fraud)
    assert found is not None
    assert found.least == 1.0


@pytest.mark.parametrize("frauds", [20, 100, 5_000])
def test_numbers_that_know_nothing_do_not_separate(frauds: int) -> None:
    found = of_numbers(np.random.default_rng(1).random(N), labels(frauds))
    assert found is not None
    assert found.least < 0.6


@pytest.mark.parametrize("step", [2, 3])
def test_labels_that_alternate_are_measured_too(step: int) -> None:
    is_fraud = np.arange(N) % step == 0
    found = of_numbers(is_fraud.astype(float), is_fraud)
    assert found == Separation(1.0, 1.0)


def test_missing_values_are_a_value() -> None:
    is_fraud = labels(100)
    found = of_numbers(np.where(is_fraud, np.nan, np.random.default_rng(1).random(N)), is_fraud)
    assert found == Separation(1.0, 1.0)


def test_values_that_occur_once_do_not_separate() -> None:
    is_fraud = labels(100)
    found = separation(np.arange(N), np.full(N, np.nan), is_fraud)
    assert found == Separation(0.0, 0.0)


def test_a_part_of_the_frauds_is_a_part_of_the_recall() -> None:
    is_fraud = labels(1_000)
    codes = (is_fraud & (np.random.default_rng(1).random(N) < 0.3)).astype(np.int64)
    found = separation(codes, np.full(N, np.nan), is_fraud)
    assert found is not None
    assert found.precision == 1.0
    assert found.recall == pytest.approx(0.3, abs=0.05)


def test_too_few_frauds_are_not_measured() -> None:
    assert of_numbers(labels(19).astype(float), labels(19)) is None
