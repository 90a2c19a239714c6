"""Test transactions with fixed predictions, so that an integrator can test without a model.

For a tenant in test mode the payer (`nameOrig`) alone selects the prediction, as the number of a
test card does:

    TEST-APPROVE   approve   low      0.0025
    TEST-REVIEW    review    medium   0.18
    TEST-HIGH      review    high     0.95

A fixed prediction is complete: the features are computed from the transaction, the contributions
come from a table, and base value plus contributions is the margin to the last bit. POLICY applies,
not the tenant's policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeGuard

import numpy as np

from scoring.event import AnyEvent
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.model.calibration import sigmoid
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion, Prediction
from scoring.transaction import Transaction

MODEL = ModelVersion("sentinel-test", 1)
"""Model version of a fixed prediction; MLflow has no such version."""
POLICY = Policy(CostModel(), threshold=0.05, high_from=0.5)
CALIBRATOR_KIND = "none"
"""The score is the sigmoid of the margin."""
BASE_VALUE = -4.5
"""Log-odds. The base value and the contributions are multiples of 1/4: their sum is exact."""

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
"""The contributions that are not zero, in log-odds, by `nameOrig`."""


def is_fixed(event: AnyEvent) -> TypeGuard[Transaction]:
    """Return whether a tenant in test mode receives a fixed prediction for an event.

    Only PaySim's transactions have fixed tests.
    """
    return isinstance(event, Transaction) and event.name_orig in FIXED_TESTS


def fixed_prediction(transaction: Transaction) -> Prediction:
    """Return the fixed prediction for a test transaction.

    Raises:
        KeyError: `nameOrig` is not in FIXED_TESTS.
    """
    table = FIXED_TESTS[transaction.name_orig]
    contributions = [table.get(name, 0.0) for name in FEATURE_NAMES]
    margin = BASE_VALUE + sum(contributions)
    score = float(sigmoid(np.array([margin]))[0])
    (features,) = PAYSIM_FEATURES.matrix_of([transaction]).tolist()
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
        described=PAYSIM_FEATURES.described,
    )
