"""Factories of domain values with valid defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import lightgbm as lgb
import numpy as np

from persistence.decisions.batch_keys import batch_request
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.pipeline.libpq import idle
from persistence.uuid7 import new_ids, unix_ms_of
from scoring.columns import FloatArray, TextColumn
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion, Prediction
from scoring.transaction import TRANSACTION_TYPES, Transaction


def a_transaction(**changes: Any) -> Transaction:
    """A transfer that empties an account, with changes."""
    values: dict[str, Any] = {
        "step": 212,
        "type": "TRANSFER",
        "amount": 181_250.75,
        "name_orig": "C1305486145",
        "oldbalance_org": 181_250.75,
        "name_dest": "C553264065",
        "oldbalance_dest": 0.1 + 0.2,
        "external_id": None,
    }
    return Transaction(**values | changes)


def a_body(**changes: Any) -> dict[str, Any]:
    """The same transaction as a request body; a change to `...` leaves the field out."""
    values: dict[str, Any] = {
        "step": 212,
        "type": "TRANSFER",
        "amount": 181_250.75,
        "nameOrig": "C1305486145",
        "oldbalanceOrg": 181_250.75,
        "nameDest": "C553264065",
        "oldbalanceDest": 0.0,
    }
    return {name: value for name, value in (values | changes).items() if value is not ...}


def feature_rows(count: int, seed: int = 0) -> FloatArray:
    """Random but plausible inputs of the model, float64 (count, features)."""
    rng = np.random.default_rng(seed)
    return PAYSIM_FEATURES.matrix(
        {
            "step": rng.integers(0, 744, count).astype(float),
            "type": TextColumn(rng.integers(0, 5, count), TRANSACTION_TYPES),
            "amount": rng.lognormal(9, 2, count).round(2),
            "oldbalanceOrg": rng.lognormal(10, 2, count).round(2),
            "oldbalanceDest": rng.lognormal(10, 2, count).round(2),
            "nameDest": TextColumn((rng.random(count) < 0.3).astype(np.int64), ("C1", "M1")),
        }
    )


@cache
def a_booster(seed: int = 0, trees: int = 12) -> lgb.Booster:
    """A small booster fitted on random rows with a learnable label."""
    matrix = feature_rows(4000, seed)
    share = matrix[:, FEATURE_NAMES.index("amount_share")]
    risky = matrix[:, 0] > 2.5
    odds = np.clip(share, 0, 2) * 3 - 5 + 3 * risky
    labels = np.random.default_rng(seed).random(len(matrix)) < 1 / (1 + np.exp(-odds))
    data = lgb.Dataset(matrix, labels, feature_name=list(FEATURE_NAMES))
    settings = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 1}
    return lgb.train(settings | {"seed": seed}, data, trees)


def a_model(
    seed: int = 0, threshold: float = 0.05, version: ModelVersion | None = None
) -> FraudModel:
    """A small, whole model."""
    policy = Policy.at(threshold, CostModel())
    return FraudModel(a_booster(seed), SigmoidCalibrator(0.9, -0.1), policy, {}, version)


def a_prediction(**changes: Any) -> Prediction:
    """A prediction whose contributions have no short decimal form."""
    count = len(FEATURE_NAMES)
    contributions = [(-1) ** i / (3 + i) for i in range(count)]
    values: dict[str, Any] = {
        "score": 1 / 3,
        "margin": -5.1 + sum(contributions),
        "base_value": -5.1,
        "raw_probability": 2 / 7,
        "risk_band": "medium",
        "decision": "review",
        "threshold": 0.05,
        "features": [i / 7 for i in range(count)],
        "contributions": contributions,
        "model": ModelVersion("fraud-demo", 1),
        "described": PAYSIM_FEATURES.described,
    }
    return Prediction(**values | changes)


def a_decision(tenant_id: int, score: float = 1 / 3, **changes: Any) -> Decided:
    """A decision not stored yet; changes go to the transaction."""
    ((transaction_id, prediction_id),) = new_ids(1)
    return Decided(
        tenant_id=tenant_id,
        transaction_id=transaction_id,
        prediction_id=prediction_id,
        transaction=a_transaction(**changes),
        prediction=a_prediction(score=score),
        latency_ms=1.5,
    )


def decision_at(decision: Decided, moment: datetime) -> Decided:
    """The same decision made at another moment, which its ids carry (UUIDv7, to the millisecond).

    Of decisions that are moved to one millisecond the ids keep their order.
    """
    later_ms = int(moment.timestamp() * 1000) - unix_ms_of(decision.transaction_id)
    return decision._replace(
        transaction_id=UUID(int=decision.transaction_id.int + (later_ms << 80)),
        prediction_id=UUID(int=decision.prediction_id.int + (later_ms << 80)),
    )


def write_whole(
    log: DecisionLog,
    batch: Sequence[Decided],
    meanwhile: Callable[[], None] = idle,
    *,
    key: str | None = None,
) -> list[Decided]:
    """Store a batch whole, as one part, under an idempotency key of its own if there is one."""
    has_keys = any(decided.transaction.external_id is not None for decided in batch)
    request = key and batch_request(key, [decided.transaction for decided in batch])
    return log.write_whole(
        {d.tenant_id for d in batch}, [batch], meanwhile, has_keys=has_keys, request=request or None
    )
