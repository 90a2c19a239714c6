"""The waterfall ends where the margin is, and groups what cannot be seen."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.transaction.waterfall import MAX_STEPS, Waterfall, waterfall
from scoring.described_features import DescribedFeatures, FeatureDescription
from scoring.prediction import Prediction
from tests.support.factories import a_prediction


def with_contributions(contributions: list[float], base_value: float = -4.0) -> Prediction:
    names = tuple(f"feature_{i}" for i in range(len(contributions)))
    return a_prediction(
        contributions=contributions,
        features=[float(i) for i in range(len(contributions))],
        described=DescribedFeatures(tuple(FeatureDescription(name, name) for name in names)),
        base_value=base_value,
        margin=base_value + math.fsum(contributions),
    )


def every_step(drawn: Waterfall) -> list[float]:
    steps = [step.contribution for step in drawn.steps]
    return steps + ([drawn.rest.contribution] if drawn.rest else [])


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=60),
    st.floats(-10, 10),
)
def test_every_contribution_is_drawn_once_and_the_last_step_ends_at_the_margin(
    contributions: list[float], base_value: float
) -> None:
    drawn = waterfall(with_contributions(contributions, base_value))
    assert math.isclose(base_value + sum(every_step(drawn)), drawn.margin, abs_tol=1e-9)
    places = [place for step in drawn.steps for place in step.features]
    places += drawn.rest.features if drawn.rest else ()
    assert sorted(places) == list(range(len(contributions)))
    last = drawn.rest or drawn.steps[-1]
    assert last.end_at == pytest.approx(drawn.margin_at, abs=0.02)


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=60))
def test_each_step_begins_where_the_one_before_it_ends(contributions: list[float]) -> None:
    drawn = waterfall(with_contributions(contributions))
    steps = [*drawn.steps, *([drawn.rest] if drawn.rest else [])]
    assert steps[0].start_at == drawn.base_at
    for before, after in pairwise(steps):
        assert before.end_at == after.start_at
        assert 0 <= after.left <= after.left + after.width <= 100.5


def test_what_cannot_be_seen_is_one_step_together() -> None:
    drawn = waterfall(with_contributions([2.0, 0.001, -1.0, 0.002, 0.0]))
    assert [step.features for step in drawn.steps] == [(0,), (2,)]
    assert drawn.rest is not None
    assert set(drawn.rest.features) == {1, 3, 4}
    assert drawn.rest.contribution == pytest.approx(0.003)


def test_of_many_features_the_largest_have_a_step_of_their_own() -> None:
    drawn = waterfall(with_contributions([1.0 + i / 100 for i in range(41)]))
    assert len(drawn.steps) == MAX_STEPS
    assert drawn.rest is not None
    assert len(drawn.rest.features) == 41 - MAX_STEPS


def test_the_axis_marks_probabilities_where_they_are() -> None:
    drawn = waterfall(with_contributions([4.0, 2.0]))
    for tick in drawn.ticks:
        share = (math.log(tick.value / (1 - tick.value)) - -4.0) / 6.0
        between = drawn.base_at + share * (drawn.margin_at - drawn.base_at)
        assert tick.at == pytest.approx(between, abs=0.05)
    assert 0.5 in {tick.value for tick in drawn.ticks}
