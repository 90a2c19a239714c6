"""PaySim's features: those of a model version that was trained on the built-in event type.

They use only what is known before the decision, so not the balances after the transaction
(`newbalanceOrig`, `newbalanceDest`).
"""

from __future__ import annotations

from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.transaction import PAYSIM

FEATURES_VERSION = 1
"""Version of these definitions in a model's `features.json`, which names them and does not repeat
them. It goes up whenever a feature's meaning changes; a model with another version fails to
load."""

_NO_OR_YES = ("no", "yes")
_HOURS = tuple(f"{hour:02d}:00" for hour in range(24))

PAYSIM_FEATURES = ModelFeatures(
    PAYSIM,
    FeatureSet(
        (
            FeatureDefinition("type", "code(type)", "transaction type"),
            FeatureDefinition("amount", "amount", "amount moved"),
            FeatureDefinition("oldbalance_org", "oldbalanceOrg", "payer's balance before"),
            FeatureDefinition("oldbalance_dest", "oldbalanceDest", "receiver's balance before"),
            FeatureDefinition(
                "balance_left", "oldbalanceOrg - amount", "payer's balance minus the amount"
            ),
            # Adding 1 keeps the share of an empty or overdrawn account finite, and the largest for
            # its amount.
            FeatureDefinition(
                "amount_share",
                "amount / (max(oldbalanceOrg, 0) + 1)",
                "amount as a share of the payer's balance",
            ),
            # Half a cent: amounts and balances have two decimals, but their float64 sums are
            # inexact.
            FeatureDefinition(
                "empties_account",
                "abs(amount - oldbalanceOrg) < 0.005 and amount > 0",
                "whether the amount is the payer's whole balance",
                _NO_OR_YES,
            ),
            FeatureDefinition(
                "dest_amount_share",
                "amount / (max(oldbalanceDest, 0) + 1)",
                "amount as a share of the receiver's balance",
            ),
            FeatureDefinition(
                "dest_is_empty",
                "oldbalanceDest <= 0",
                "whether the receiver held nothing before",
                _NO_OR_YES,
            ),
            FeatureDefinition(
                "dest_is_merchant",
                "starts_with(nameDest, 'M')",
                "whether the receiver is a merchant",
                _NO_OR_YES,
            ),
            FeatureDefinition("hour_of_day", "step % 24", "hour of the day, 0 to 23", _HOURS),
        )
    ),
)
FEATURE_NAMES = PAYSIM_FEATURES.names
"""Names in the order of the matrix."""
