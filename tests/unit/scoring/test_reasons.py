"""Reasons state what is true of a decision: in words first, in log-odds second."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.described_features import DescribedFeatures, FeatureDescription
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.model.usual_values import usual_values
from scoring.prediction import ModelVersion, Prediction
from scoring.reasons import effect, phrase, reasons
from scoring.transaction import hour_as_text
from tests.support.factories import a_model, a_transaction, feature_rows
from training.pipeline.distribution import distribution

USUAL = {"amount": 1000.0, "oldbalance_org": 2000.0, "oldbalance_dest": 3000.0}


def stated(name: str, usual: dict[str, float] | None = None, **changes: Any) -> str:
    """What a sentence states of a feature's value."""
    columns = PAYSIM_FEATURES.columns_of([a_transaction(**changes)])
    values = dict(zip(FEATURE_NAMES, PAYSIM_FEATURES.matrix(columns)[0].tolist(), strict=True))
    return phrase(name, values, usual or {}, PAYSIM_FEATURES.described)


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
            "The receiver's balance was -50.00",
        ),
        ("oldbalance_org", {"oldbalance_org": 0.0}, "The payer held nothing before"),
        # Amount and balance count, not the feature's value, which adds 1 to the balance.
        (
            "amount_share",
            {"amount": 0.5, "oldbalance_org": 1.0},
            "The amount is 0.5 times the payer's balance",
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
            "The payer held nothing before",
        ),
        (
            "amount_share",
            {"amount": 0.0, "oldbalance_org": -50.0},
            "The payer's balance was -50.00",
        ),
        (
            "dest_amount_share",
            {"amount": 50.0, "oldbalance_dest": -50.0},
            "The receiver's balance was -50.00",
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
    assert stated(name, USUAL, **changes).startswith(expected)


@pytest.mark.parametrize("usual", [{}, {"amount": 0.0}])
def test_an_amount_is_compared_with_nothing_where_nothing_is_usual(usual: dict[str, float]) -> None:
    assert stated("amount", usual, amount=10_000.0) == "The amount is 10,000.00"


@given(contribution=st.floats(-50, 50).filter(bool))
@example(contribution=math.log(1000))
@example(contribution=math.log(99.96))
@example(contribution=-1999.0)
@example(contribution=5e-324)
def test_the_effect_is_that_of_the_contribution(contribution: float) -> None:
    text = effect([contribution])
    match = re.fullmatch(
        r"(?:(multiplies|divides) the model's odds of fraud by (more than )?([\d,.]+)"
        r"|hardly changes the model's odds of fraud) \(log-odds ([+-][\d.e-]+)\)",
        text,
    )
    assert match, text
    verb, more, factor, log_odds = match.groups()
    assert float(log_odds) == pytest.approx(contribution, rel=0.5, abs=0.0051)
    assert (float(log_odds) > 0) == (contribution > 0)
    if verb is None:
        assert abs(contribution) < 0.005
        return
    assert (verb == "multiplies") == (contribution > 0)
    expected = math.exp(min(abs(contribution), 700))
    shown = float(factor.replace(",", ""))
    assert expected > 999 if more else shown == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize(
    ("contributions", "expected"),
    [
        ([1.5], "multiplies the model's odds of fraud by 4.48 (log-odds +1.50)"),
        ([-0.25], "divides the model's odds of fraud by 1.28 (log-odds -0.25)"),
        ([2.0, 0.3], "multiplies the model's odds of fraud by 9.97 (log-odds +2.00 and +0.30)"),
        ([2.0, -3.0], "divides the model's odds of fraud by 2.72 (log-odds +2.00 and -3.00)"),
        ([0.5, -0.5], "hardly changes the model's odds of fraud (log-odds +0.50 and -0.50)"),
    ],
)
def test_features_that_state_one_fact_have_one_factor_and_the_log_odds_of_each(
    contributions: list[float], expected: str
) -> None:
    assert effect(contributions) == expected


def test_a_feature_of_another_release_is_stated_by_its_description() -> None:
    described = DescribedFeatures(
        (
            FeatureDescription("visits", "visits of the last hour"),
            FeatureDescription("channel", "channel of the payment", ("web", "app")),
        )
    )
    values = {"visits": 3.5, "channel": 1.0}
    assert phrase("visits", values, {}, described) == "Visits of the last hour: 3.5"
    assert phrase("channel", values, {}, described) == "Channel of the payment: app"


def test_a_share_whose_parts_are_no_features_is_stated_by_its_description() -> None:
    values = {"amount_share": 0.5}
    assert phrase("amount_share", values, {}, PAYSIM_FEATURES.described) == (
        "Amount as a share of the payer's balance: 0.5"
    )


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
    assert stated(name) != stated(name, **other)


def test_reasons_are_the_largest_contributions_in_order() -> None:
    model = a_model(version=ModelVersion("fraud-demo", 1))
    (prediction,) = model.predict([a_transaction(amount=1000.0, oldbalance_org=5000.0)])
    top = prediction.top_features()
    sizes = [abs(prediction.contributions[i]) for i in top]
    assert sizes == sorted(map(abs, prediction.contributions), reverse=True)[:5]
    assert len(reasons(prediction)) == sum(size > 0 for size in sizes)


def with_contributions(contributions: dict[str, float], **changes: Any) -> Prediction:
    """A prediction of a payment with these contributions by feature name and no others."""
    model = a_model(version=ModelVersion("fraud-demo", 1))
    (prediction,) = model.predict([a_transaction(**changes)])
    return prediction._replace(
        contributions=[contributions.get(name, 0.0) for name in FEATURE_NAMES]
    )


@pytest.mark.parametrize(
    ("changes", "names", "fact"),
    [
        (
            {"amount": 7.0, "oldbalance_org": 7.0},
            ("empties_account", "amount_share", "balance_left"),
            "The amount is exactly the payer's whole balance",
        ),
        (
            {"oldbalance_org": 0.0},
            ("oldbalance_org", "amount_share"),
            "The payer held nothing before",
        ),
        (
            {"oldbalance_dest": 0.0},
            ("dest_is_empty", "oldbalance_dest", "dest_amount_share"),
            "The receiver held nothing before",
        ),
        (
            {"oldbalance_dest": -50.0},
            ("dest_is_empty", "oldbalance_dest", "dest_amount_share"),
            "The receiver's balance was -50.00",
        ),
    ],
)
def test_no_two_reasons_state_the_same_fact(
    changes: dict[str, Any], names: tuple[str, ...], fact: str
) -> None:
    shares = dict(zip(names, (3.0, 2.0, 1.0), strict=False))
    prediction = with_contributions({"type": 2.5, **shares}, **changes)
    assert reasons(prediction) == [
        f"{fact}, which {effect(list(shares.values()))}.",
        f"The transaction is a TRANSFER, which {effect([2.5])}.",
    ]


def test_what_is_usual_is_the_median_of_the_payments_of_the_training() -> None:
    matrix = feature_rows(2001)
    described = distribution(matrix, matrix[:, 1] / matrix[:, 1].max(), FEATURE_NAMES)
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
    described = distribution(matrix, matrix[:, 1] / matrix[:, 1].max(), FEATURE_NAMES)
    assert set(usual_values(described)) == {"amount", "oldbalance_org"}
    assert usual_values({}) == usual_values({"features": 1}) == {}


@pytest.mark.parametrize(
    ("step", "shown"), [(0, "day 0, 00:00"), (37, "day 1, 13:00"), (743, "day 30, 23:00")]
)
def test_a_step_is_shown_as_a_day_and_an_hour(step: int, shown: str) -> None:
    assert hour_as_text(step) == shown
