"""Test transactions with fixed answers, so that an integrator can test without a model.

They mean something only to a tenant in test mode, and are told by the account that pays
(`nameOrig`), whatever else the transaction says, as the numbers of test cards are:

    TEST-APPROVE   approve   low      0.0025
    TEST-REVIEW    review    medium   0.18
    TEST-HIGH      review    high     0.95

What is replied is whole: the features are the transaction's own, the contributions come from a
table, and base value plus contributions is the margin to the last bit. POLICY decides, whatever
the tenant's own policy is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from scoring.features import FEATURE_NAMES, TransactionColumns, feature_matrix
from scoring.model.calibration import sigmoid
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion, Prediction
from scoring.transaction import Transaction

MODEL = ModelVersion("sentinel-test", 1)
"""The version that a fixed answer says it is of; MLflow knows nothing of it."""
POLICY = Policy(CostModel(), threshold=0.05, high_from=0.5)
CALIBRATOR_KIND = "none"
"""The score is the sigmoid of the margin."""
BASE_VALUE = -4.5
"""Log-odds. It and the contributions are multiples of 1/4, so that their sum is exact."""

_APPROVE = {"type": -0.5, "amount": -0.5, "amount_share": -0.25, "empties_account": -0.25}
_REVIEW = {"type": 0.5, "amount_share": 1.0, "empties_account": 1.0, "dest_is_empty": 0.5}
_HIGH = {
    "type": 1.0,
    "amount": 1.5,
    "amount_share": 2.0,
    "empties_account": 2.0,
    "dest_is_empty": 1.0,
}
FIXED_TESTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"TEST-APPROVE": _APPROVE, "TEST-REVIEW": _REVIEW, "TEST-HIGH": _HIGH}
)
"""By `nameOrig`: the contributions that are not zero, in log-odds."""


def is_fixed(transaction: Transaction) -> bool:
    """Whether a tenant in test mode gets a fixed answer to it."""
    return transaction.name_orig in FIXED_TESTS


def fixed_prediction(transaction: Transaction) -> Prediction:
    """Return the fixed answer.

    Raises:
        KeyError: the transaction has none.
    """
    table = FIXED_TESTS[transaction.name_orig]
    contributions = [table.get(name, 0.0) for name in FEATURE_NAMES]
    margin = BASE_VALUE + sum(contributions)
    score = float(sigmoid(np.array([margin]))[0])
    (features,) = feature_matrix(TransactionColumns.from_transactions([transaction])).tolist()
    return Prediction(
        score=score,
        margin=margin,
        base_value=BASE_VALUE,
        raw_probability=score,
        risk_band=POLICY.risk_band(score),
        decision=POLICY.decide(score),
        threshold=POLICY.threshold,
        features=features,
        contributions=contributions,
        model=MODEL,
    )
