"""Decisions of which chance approved some, beside the same decisions without weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.weights import observation_weights

THRESHOLD = 0.2
DRAWN, SHOWN = 1200, 300


@dataclass(frozen=True)
class Explored:
    """Scored payments; of the DRAWN would-be reviews SHOWN were approved and the rest is unknown.

    `replicated` returns them as an evaluation without weights would have to see them: a payment
    that was approved at random as often as it stands for, an unknown one not at all.
    """

    score: FloatArray
    amount: FloatArray
    is_fraud: BoolArray
    weights: FloatArray

    def replicated(self, *columns: FloatArray) -> list[FloatArray]:
        stands_for = np.where(self.weights > 1, DRAWN // SHOWN, self.weights).astype(int)
        return [np.repeat(column, stands_for) for column in columns]


def explored(seed: int = 0, below: int = 3000) -> Explored:
    """Return payments in random order; labels of unknown ones are wrong on purpose."""
    rng = np.random.default_rng(seed)
    score = np.concatenate(
        [rng.uniform(0.001, THRESHOLD, below), rng.uniform(THRESHOLD, 0.99, DRAWN)]
    )
    approved = np.arange(score.size) < below + SHOWN
    probability = np.where(score < THRESHOLD, np.nan, 0.05)
    order = rng.permutation(score.size)
    score, approved, probability = score[order], approved[order], probability[order]
    weights = observation_weights(probability, approved, approved)
    is_fraud = rng.random(score.size) < score
    is_fraud[weights == 0] = rng.random(DRAWN - SHOWN) < 0.5
    return Explored(score, rng.lognormal(4, 1, score.size).round(2), is_fraud, weights)
