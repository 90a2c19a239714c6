"""Decisions of random payments, and a strategy of small sets of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from scoring.backtest.decisions import StoredDecisions
from scoring.columns import BoolArray
from scoring.evaluation.weights import observation_weights
from scoring.policy import CostModel

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
FLAT, BY_AMOUNT = CostModel(), CostModel(0.0, 1.0, 5.0, 40.0)

cost_models = st.builds(
    CostModel,
    st.floats(1, 5_000),
    st.floats(0, 2),
    st.floats(0.1, 100),
    st.none() | st.floats(0.1, 500),
)


def stored(rows: int, **columns: Any) -> StoredDecisions:
    """Return decisions that differ from approvals of unlabelled payments in some columns."""
    made: dict[str, Any] = {
        "outcomes": np.zeros(rows, np.int8),
        "deciders": np.zeros(rows, np.int8),
        "decider_ids": np.zeros(rows, np.int64),
        "scores": np.full(rows, 0.1),
        "amounts": np.full(rows, 100.0),
        "labelled": np.zeros(rows, np.bool_),
        "is_fraud": np.zeros(rows, np.bool_),
        "weights": np.ones(rows),
        "decided_at_ms": START_MS + np.arange(rows),
    }
    for name, values in columns.items():
        made[name] = np.asarray(values).astype(made[name].dtype)
    return StoredDecisions(**made)


@st.composite
def decision_sets(draw: st.DrawFn, max_size: int = 40) -> StoredDecisions:
    """Return decisions of every kind, in any order."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.integers(0, 2),
                st.integers(1, 3),
                st.sampled_from([0.1, 0.3, 0.9]),
                st.sampled_from([float("nan"), 0.0, 10.0, 99.5, 1e6]),
                st.sampled_from([(False, False), (True, False), (True, True)]),
                st.sampled_from([0.0, 1.0, 1.0, 1.0, 10.0, 20.0]),
                st.integers(START_MS, START_MS + 3 * DAY_MS),
            ),
            min_size=1,
            max_size=max_size,
        )
    )
    outcomes, deciders, ids, scores, amounts, labels, weights, at = zip(*rows, strict=True)
    labelled, is_fraud = zip(*labels, strict=True)
    return stored(
        len(rows),
        outcomes=outcomes,
        deciders=deciders,
        decider_ids=np.where(np.array(deciders) == 0, 0, ids),
        scores=scores,
        amounts=amounts,
        labelled=labelled,
        is_fraud=is_fraud,
        weights=weights,
        decided_at_ms=at,
    )


def random_decisions(
    rows: int, seed: int = 0, fraud_rate: float = 0.02, explored: bool = False
) -> tuple[StoredDecisions, BoolArray]:
    """Return decisions of a model, and where a rule fires that finds a third of the frauds.

    Args:
        rows: number of decisions.
        seed: seed of the payments.
        fraud_rate: share of frauds.
        explored: whether a tenth of the would-be reviews was approved at random.
    """
    rng = np.random.default_rng(seed)
    is_fraud = rng.random(rows) < fraud_rate
    log_odds = rng.normal(-5, 1.5, rows) + 4 * is_fraud
    scores = 1 / (1 + np.exp(-log_odds))
    outcomes = np.where(scores >= 0.8, 2, scores >= 0.2).astype(np.int8)
    fires = rng.random(rows) < np.where(is_fraud, 0.35, 0.01)
    weights = np.ones(rows)
    labelled = is_fraud | (rng.random(rows) < 0.1)
    if explored:
        approved = rng.random(rows) < 0.1
        probability = np.where(outcomes == 1, 0.1, np.nan)
        labelled &= approved | (outcomes != 1)
        weights = observation_weights(probability, approved, labelled)
    return stored(
        rows,
        outcomes=outcomes,
        scores=scores,
        amounts=rng.lognormal(4, 1, rows).round(2),
        labelled=labelled,
        is_fraud=is_fraud & labelled,
        weights=weights,
        decided_at_ms=START_MS + np.sort(rng.integers(0, 30 * DAY_MS, rows)),
    ), fires
