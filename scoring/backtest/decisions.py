"""Stored decisions as columns: what was decided, by what, and what the payments turned out to be.

Escalated payments are not settled and left out. A payment without a label is presumed honest once
its decision is mature, whatever was decided (`persistence.labels.reader`); one that was reviewed
while others were approved at random in its place has the weight 0, and nobody knows what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.weights import scaled
from scoring.policy import OUTCOMES, Outcome
from scoring.rules.verdict import Decider

APPROVE, REVIEW, DECLINE = (OUTCOMES.index(name) for name in OUTCOMES)
DECIDERS: tuple[Decider, ...] = ("model", "list_entry", "rule")
MODEL, LIST_ENTRY, RULE = range(3)

IntArray = NDArray[np.int64]
OutcomeArray = NDArray[np.int8]
"""Index into OUTCOMES of n payments."""


@dataclass(frozen=True, slots=True)
class StoredDecisions:
    """n decisions as they were made, in any order, with what became of the payments.

    Attributes:
        outcomes: index into OUTCOMES, int8 (n,), chance apart: see `without_chance`.
        deciders: index into DECIDERS of what decided, int8 (n,).
        decider_ids: id of the list whose entry decided or of the rule, int64 (n,); 0 for the model.
        scores: calibrated scores, float64 (n,).
        amounts: amounts, money, float64 (n,); NaN where a payment has none.
        labelled: whether what the payment was is known, bool (n,).
        is_fraud: whether it is known to be a fraud, bool (n,).
        weights: number of decisions that each stands for, before scaling
            (`scoring.evaluation.weights`), float64 (n,); 0: nobody knows what it was.
        decided_at_ms: times of the decisions in milliseconds since 1970 UTC, int64 (n,).

    Raises:
        ValueError: the columns differ in length, or a fraud has no label.
    """

    outcomes: OutcomeArray
    deciders: NDArray[np.int8]
    decider_ids: IntArray
    scores: FloatArray
    amounts: FloatArray
    labelled: BoolArray
    is_fraud: BoolArray
    weights: FloatArray
    decided_at_ms: IntArray

    def __post_init__(self) -> None:
        if len({getattr(self, field.name).shape for field in fields(self)}) > 1:
            raise ValueError("the columns of decisions have one length")
        if (self.is_fraud & ~self.labelled).any():
            raise ValueError("a fraud has a label")

    def __len__(self) -> int:
        return self.outcomes.size

    @property
    def counted_fraud(self) -> BoolArray:
        """Whether each is a fraud that counts in estimates: one with a weight, bool (n,)."""
        return self.is_fraud & (self.weights > 0)

    @property
    def counts(self) -> FloatArray:
        """Number of decisions that each stands for, scaled, float64 (n,)."""
        return scaled(self.weights)

    def select(self, rows: BoolArray) -> StoredDecisions:
        """Return some of the decisions; the weights are scaled among themselves.

        Args:
            rows: whether each decision is one of them, bool (n,).
        """
        return StoredDecisions(*(getattr(self, field.name)[rows] for field in fields(self)))


def without_chance(outcomes: OutcomeArray, approval_probability: FloatArray) -> OutcomeArray:
    """Return outcomes chance apart: a payment that was approved at random was to be reviewed.

    It stands for the reviews that were drawn, so what is compared with its outcome must be compared
    with theirs.

    Args:
        outcomes: index into OUTCOMES as stored, int8 (n,).
        approval_probability: probability with which a would-be review was approved, float64 (n,);
            NaN where chance had no part.
    """
    return np.where(np.isnan(approval_probability), outcomes, REVIEW).astype(np.int8)


def outcomes_with_rule(
    decisions: StoredDecisions, fires: BoolArray, action: Outcome
) -> OutcomeArray:
    """Return the outcomes if one more rule had been live, the last one of its action.

    It decides as `scoring.rules.batch_decider` orders it: an approving rule outranks all that does
    not approve, a declining one all but lists and rules that approve or decline, and a reviewing
    one the model alone, also where that declines.

    Args:
        decisions: decisions.
        fires: whether the rule's condition is true, bool (n,).
        action: outcome that the rule gives.

    Returns:
        Index into OUTCOMES, int8 (n,).
    """
    by_model = decisions.deciders == MODEL
    if action == "approve":
        decides = fires
    elif action == "decline":
        decides = fires & (by_model | (decisions.outcomes == REVIEW))
    else:
        decides = fires & by_model
    return np.where(decides, OUTCOMES.index(action), decisions.outcomes).astype(np.int8)
