"""Randomised approvals: their bounds, which payments they cover, and the draw."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from persistence.uuid7 import first_id_at
from scoring.exploration import MAX_SHARE, Exploration
from scoring.policy import CostModel, Policy, policy_from_numbers
from tests.support.factories import a_prediction

EXPLORATION = Exploration(share=0.05, max_amount=200.0)
WOULD_BE_REVIEW = a_prediction(decision="review")


def decision_ids(count: int) -> list[UUID]:
    """Ids of one millisecond that differ in their random bits, as those of a batch do."""
    drawn = np.random.default_rng(0).integers(0, 2**62, count).tolist()
    return [UUID(int=first_id_at(1_769_860_800_000).int + (7 << 76) + bits) for bits in drawn]


IDS = decision_ids(20_000)


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ({"share": 0.0}, "explore.share"),
        ({"share": -0.01}, "explore.share"),
        ({"share": MAX_SHARE + 1e-9}, "explore.share"),
        ({"share": float("nan")}, "explore.share"),
        ({"max_amount": 0.0}, "explore.max_amount"),
        ({"max_amount": float("inf")}, "explore.max_amount"),
        ({"max_amount": float("nan")}, "explore.max_amount"),
    ],
)
def test_a_number_out_of_range_is_refused_by_its_name(
    numbers: dict[str, float], field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        Exploration(**{"share": 0.05, "max_amount": 200.0} | numbers)


@pytest.mark.parametrize("share", [0.002, 0.02, MAX_SHARE])
def test_the_share_that_is_approved_is_the_policys(share: float) -> None:
    approved = sum(Exploration(share, 200.0).approves(id_) for id_ in IDS)
    # Five standard deviations of a binomial count.
    assert abs(approved - share * len(IDS)) < 5 * (share * (1 - share) * len(IDS)) ** 0.5


def test_a_larger_share_approves_what_a_smaller_one_does() -> None:
    small, large = (
        {id_ for id_ in IDS if Exploration(share, 200.0).approves(id_)} for share in (0.01, 0.05)
    )
    assert small < large


def test_the_draw_is_the_same_in_every_process_and_release() -> None:
    assert [n for n, id_ in enumerate(IDS[:100]) if EXPLORATION.approves(id_)] == [
        16,
        19,
        36,
        42,
        54,
        67,
        93,
    ]


@pytest.mark.parametrize(
    ("amount", "is_covered"),
    [(0.0, True), (200.0, True), (200.01, False), (None, False), (float("nan"), False)],
)
def test_only_a_known_amount_up_to_the_largest_is_covered(
    amount: float | None, is_covered: bool
) -> None:
    assert EXPLORATION.covers(amount) is is_covered
    drawn = WOULD_BE_REVIEW.randomised(EXPLORATION, amount, IDS[0])
    assert (drawn.approval_probability is not None) is is_covered


def test_approved_and_reviewed_payments_both_keep_the_probability() -> None:
    drawn = [WOULD_BE_REVIEW.randomised(EXPLORATION, 100.0, id_) for id_ in IDS[:1000]]
    assert {one.decision for one in drawn} == {"approve", "review"}
    assert {one.approval_probability for one in drawn} == {0.05}
    for one, id_ in zip(drawn, IDS, strict=False):
        assert (one.decision == "approve") is EXPLORATION.approves(id_)
        assert one._replace(decision="review", approval_probability=None) == WOULD_BE_REVIEW


def test_a_payment_below_the_threshold_stays_as_it_is() -> None:
    approved = a_prediction(decision="approve", risk_band="low")
    assert all(approved.randomised(EXPLORATION, 1.0, id_) is approved for id_ in IDS[:100])


def test_a_policy_with_randomised_approvals_is_equal_after_json() -> None:
    policy = Policy(CostModel(), 0.05, 0.5, EXPLORATION)
    assert policy_from_numbers(json.loads(json.dumps(policy.as_numbers()))) == policy


def test_a_policy_without_them_has_the_numbers_it_always_had() -> None:
    numbers = Policy.at(0.05, CostModel()).as_numbers()
    assert set(numbers) == {"cost_model", "threshold", "high_from"}


@pytest.mark.parametrize(
    "explore",
    [
        {"share": 0.05},
        {"max_amount": 200.0},
        {"share": 0.5, "max_amount": 200.0},
        {"share": 0.05, "max_amount": 200.0, "surprise": 1},
        0.05,
    ],
)
def test_stored_numbers_that_are_no_randomised_approvals_are_refused(explore: Any) -> None:
    numbers = Policy.at(0.05, CostModel()).as_numbers() | {"explore": explore}
    with pytest.raises(ValueError, match=r"explore|policy"):
        policy_from_numbers(numbers)
