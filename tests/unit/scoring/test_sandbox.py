"""Fixed test transactions have a fixed prediction that adds up."""

from __future__ import annotations

import pytest

from scoring.features import TransactionColumns, feature_matrix
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
def test_a_fixed_test_account_alone_determines_the_prediction(
    name: str, decision: str, band: str, amount: float
) -> None:
    transaction = a_transaction(name_orig=name, amount=amount, type="PAYMENT", step=3)
    told = fixed_prediction(transaction)
    assert (told.decision, told.risk_band, told.model) == (decision, band, MODEL)
    assert told.base_value + sum(told.contributions) == told.margin
    assert told.score == fixed_prediction(a_transaction(name_orig=name)).score
    (features,) = feature_matrix(TransactionColumns.from_transactions([transaction])).tolist()
    assert told.features == features


def test_no_other_account_is_a_fixed_test_account() -> None:
    assert all(is_fixed(a_transaction(name_orig=name)) for name in FIXED_TESTS)
    assert not any(
        is_fixed(a_transaction(name_orig=name)) for name in ("TEST", "test-high", "TEST-HIGH2")
    )
