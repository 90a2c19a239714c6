"""Reasons state what is true of a decision: in words first, in log-odds second."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.described_features import DescribedFeatures, FeatureDescription
from scoring.features import DESCRIBED, FEATURE_NAMES, TransactionColumns, feature_matrix
from scoring.model.fraud_model import FraudModel
from scoring.model.usual_values import usual_values
from scoring.prediction import ModelVersion
from scoring.reasons import reasons, sentence
from scoring.transaction import hour_as_text
from tests.support.factories import a_model, a_transaction, feature_rows
from training.pipeline.distribution import distribution

USUAL = {"amount": 1000.0, "oldbalance_org": 2000.0, "oldbalance_dest": 3000.0}


def phrase(name: str, usual: dict[str, float] | None = None, **changes: Any) -> str:
    """The part of a sentence about a feature's value."""
    columns = TransactionColumns.from_transactions([a_transaction(**changes)])
    values = dict(zip(FEATURE_NAMES, feature_matrix(columns)[0].tolist(), strict=True))
    return sentence(name, values, 1.0, usual or {}, DESCRIBED).partition(", which ")[0]


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("type", {"type": "CASH_OUT"}, "The transaction is a CASH_OUT"),
        ("hour_of_day", {"step": 37}, "It happens in the hour from 13:00"),
        ("amount", {"amount": 10_000.0}, "The amount is 10,000.00, 10 times the usual 1,000.00"),
        ("amount", {"amount": 1_250.0}, "The amount is 1,250.00, 1.2 times the usual 1,000.00"),
        ("amount", {"amount": 1_249.0}, "The amount is 1,249.00, about the usual 1,000.00"),
        ("amount", {"amount": 801.0}, "The amount is 801.00, about the usual 1,000.00"),
        ("amount", {"amount": 800.0}, "The amount is 800.00, less than the usual 1,000.00"),
        ("amount", {"amount": 0.0}, "The amount is 0.00, less than the usual 1,000.00"),
        (
            "oldbalance_org",
            {"oldbalance_org": 6000.0},
            "The payer held 6,000.00, 3 times the usual 2,000.00 before",
        ),
        (
            "oldbalance_dest",
            {"oldbalance_dest": -50.0},
            "The receiver held -50.00, less than the usual 3,000.00 before",
        ),
        # Amount and balance count, not the feature's value, which adds 1 to the balance.
        (
            "amount_share",
            {"amount": 0.5, "oldbalance_org": 0.5},
            "The amount is 1 times the payer's balance",
        ),
        (
            "amount_share",
            {"amount": 1.0, "oldbalance_org": 1e6},
            "The amount is less than 0.001 times the payer's balance",
        ),
        (
            "amount_share",
            {"amount": 99.6, "oldbalance_org": 1.0},
            "The amount is 100 times the payer's balance",
        ),
        (
            "amount_share",
            {"amount": 50.0, "oldbalance_org": 0.0},
            "The amount is 50.00 and the payer held nothing before",
        ),
        (
            "amount_share",
            {"amount": 0.0, "oldbalance_org": -50.0},
            "The amount is 0.00 and the payer's balance was -50.00",
        ),
        (
            "dest_amount_share",
            {"amount": 50.0, "oldbalance_dest": -50.0},
            "The amount is 50.00 and the receiver's balance was -50.00",
        ),
        (
            "dest_amount_share",
            {"amount": 0.0, "oldbalance_dest": 5.0},
            "The amount is zero and the receiver held 5.00 before",
        ),
        (
            "empties_account",
            {"amount": 7.0, "oldbalance_org": 7.0},
            "The amount is exactly the payer's whole balance",
        ),
        (
            "empties_account",
            {"amount": 7.0, "oldbalance_org": 8.0},
            "The payment does not take exactly the payer's whole balance",
        ),
        ("balance_left", {"amount": 7.0, "oldbalance_org": 8.0}, "The payer would be left with 1"),
        (
            "balance_left",
            {"amount": 9.0, "oldbalance_org": 8.0},
            "The amount exceeds the payer's balance by 1.00",
        ),
        ("dest_is_empty", {"oldbalance_dest": 0.0}, "The receiver held nothing before"),
        ("dest_is_empty", {"oldbalance_dest": -50.0}, "The receiver's balance was -50.00"),
        ("dest_is_merchant", {"name_dest": "C1"}, "The receiver is not a merchant"),
    ],
)
def test_a_sentence_begins_with_what_is_true_of_the_payment(
    name: str, changes: dict[str, Any], expected: str
) -> None:
    assert phrase(name, USUAL, **changes).startswith(expected)


@pytest.mark.parametrize("usual", [{}, {"amount": 0.0}])
def test_an_amount_is_compared_with_nothing_where_nothing_is_usual(usual: dict[str, float]) -> None:
    assert phrase("amount", usual, amount=10_000.0) == "The amount is 10,000.00"


@given(contribution=st.floats(-50, 50).filter(bool))
@example(contribution=math.log(1000))
@example(contribution=math.log(99.96))
@example(contribution=-1999.0)
@example(contribution=5e-324)
def test_the_effect_is_that_of_the_contribution(contribution: float) -> None:
    values = dict.fromkeys(FEATURE_NAMES, 1.0)
    effect = sentence("type", values, contribution, {}, DESCRIBED).partition(", which ")[2]
    found = re.fullmatch(
        r"(?:(raises|lowers) the model's odds of fraud (more than )?([\d,.]+)-fold"
        r"|hardly changes the model's odds of fraud) \(log-odds ([+-][\d.e-]+)\)\.",
        effect,
    )
    assert found, effect
    direction, more, factor, log_odds = found.groups()
    assert float(log_odds) == pytest.approx(contribution, rel=0.5, abs=0.0051)
    assert (float(log_odds) > 0) == (contribution > 0)
    if direction is None:
        assert abs(contribution) < 0.005
        return
    assert (direction == "raises") == (contribution > 0)
    expected = math.exp(min(abs(contribution), 700))
    stated = float(factor.replace(",", ""))
    assert expected > 999 if more else stated == pytest.approx(expected, rel=0.006)


def test_a_feature_of_another_release_is_stated_by_its_description() -> None:
    described = DescribedFeatures(
        (
            FeatureDescription("visits", "visits of the last hour"),
            FeatureDescription("channel", "channel of the payment", ("web", "app")),
        )
    )
    values = {"visits": 3.5, "channel": 1.0}
    assert sentence("visits", values, 1.0, {}, described).startswith("Visits of the last hour: 3.5")
    assert sentence("channel", values, 1.0, {}, described).startswith("Channel of the payment: app")


def test_a_share_whose_parts_are_no_features_is_stated_by_its_description() -> None:
    values = {"amount_share": 0.5}
    stated = sentence("amount_share", values, 1.0, {}, DESCRIBED)
    assert stated.startswith("Amount as a share of the payer's balance: 0.5, which raises")


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_every_feature_has_a_sentence(name: str) -> None:
    other = {
        "step": 213,
        "type": "DEBIT",
        "amount": 1.0,
        "oldbalance_org": -5.0,
        "name_dest": "M1",
        "oldbalance_dest": -7.0,
    }
    assert phrase(name) != phrase(name, **other)


def test_reasons_are_the_largest_contributions_in_order() -> None:
    prediction = a_model(version=ModelVersion("fraud-demo", 1)).predict([a_transaction()])[0]
    top = prediction.top_features()
    sizes = [abs(prediction.contributions[i]) for i in top]
    assert sizes == sorted(map(abs, prediction.contributions), reverse=True)[:5]
    assert len(reasons(prediction)) == sum(size > 0 for size in sizes)


def test_what_is_usual_is_the_median_of_the_payments_of_the_training() -> None:
    matrix = feature_rows(2001)
    described = distribution(matrix, matrix[:, 1] / matrix[:, 1].max())
    usual = usual_values(described)
    assert set(usual) == {"amount", "oldbalance_org", "oldbalance_dest"}
    for name, value in usual.items():
        column = sorted(matrix[:, FEATURE_NAMES.index(name)])
        assert value == column[1000]
    model = a_model()
    versioned = FraudModel(
        model.booster, model.calibrator, model.policy, described, ModelVersion("fraud-demo", 1)
    )
    (prediction,) = versioned.predict([a_transaction(amount=usual["amount"] * 10)])
    assert any("10 times the usual" in reason for reason in reasons(prediction))


def test_a_median_that_the_training_did_not_keep_is_not_known() -> None:
    matrix = feature_rows(2001)
    matrix[:1200, FEATURE_NAMES.index("oldbalance_dest")] = 0.0
    described = distribution(matrix, matrix[:, 1] / matrix[:, 1].max())
    assert set(usual_values(described)) == {"amount", "oldbalance_org"}
    assert usual_values({}) == usual_values({"features": 1}) == {}


@pytest.mark.parametrize(
    ("step", "shown"), [(0, "day 0, 00:00"), (37, "day 1, 13:00"), (743, "day 30, 23:00")]
)
def test_a_step_is_shown_as_a_day_and_an_hour(step: int, shown: str) -> None:
    assert hour_as_text(step) == shown
