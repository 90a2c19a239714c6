"""The test transactions: a fixed prediction, whose contributions add up to the margin."""

from __future__ import annotations

import pytest

from scoring.features import PAYSIM_FEATURES
from scoring.model.sandbox import FIXED_TESTS, MODEL, fixed_prediction, is_fixed
from tests.support.factories import a_transaction


@pytest.mark.parametrize(
    ("name", "decision", "band"),
    [
        ("TEST-APPROVE", "approve", "low"),
        ("TEST-REVIEW", "review", "medium"),
        ("TEST-HIGH", "review", "high"),
    ],
)
@pytest.mark.parametrize("amount", [0.0, 12.5, 1e12])
def test_the_payer_alone_selects_the_fixed_prediction(
    name: str, decision: str, band: str, amount: float
) -> None:
    transaction = a_transaction(name_orig=name, amount=amount, type="PAYMENT", step=3)
    prediction = fixed_prediction(transaction)
    assert (prediction.decision, prediction.risk_band, prediction.model) == (decision, band, MODEL)
    assert prediction.base_value + sum(prediction.contributions) == prediction.margin
    assert prediction.score == fixed_prediction(a_transaction(name_orig=name)).score
    (features,) = PAYSIM_FEATURES.matrix_of([transaction]).tolist()
    assert prediction.features == features


def test_only_the_test_accounts_have_a_fixed_prediction() -> None:
    assert all(is_fixed(a_transaction(name_orig=name)) for name in FIXED_TESTS)
    assert not any(
        is_fixed(a_transaction(name_orig=name)) for name in ("TEST", "test-high", "TEST-HIGH2")
    )
