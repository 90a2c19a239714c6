"""Weights of decisions of which some never show what they were.

A review stops a payment; unless somebody reports what it was, nobody knows. Where a policy approves
a share of the would-be reviews at random (`scoring.exploration`), those that were approved show it,
and each stands for 1 / probability of its approval: Horvitz, Thompson, "A Generalization of
Sampling Without Replacement From a Finite Universe" (JASA 1952). The weights are then scaled so
that they add up to the number of payments that were drawn, which is known (Hajek 1971): counts of
alerts stay what they were, and a total varies less.

Which reviews get a label is no matter of chance (analysts choose, and frauds are reported sooner),
so labels of reviews that were drawn have no weight, as long as one of those reviews has none.
"""

from __future__ import annotations

import numpy as np

from scoring.columns import BoolArray, FloatArray


def observation_weights(
    approval_probability: FloatArray, approved: BoolArray, labelled: BoolArray
) -> FloatArray:
    """Return how many decisions each decision stands for, before scaling, float64 (n,).

    1 where chance had no part. Of the would-be reviews that were drawn, 1 / probability for one
    that was approved and 0 for one that was reviewed. Where each of those reviews has a label, all
    is known, and where none was approved, nothing stands for them: every weight is 1.

    Args:
        approval_probability: probability with which a would-be review was approved, float64 (n,);
            NaN where chance had no part.
        approved: whether the payment was approved, bool (n,).
        labelled: whether what it was is known, bool (n,).
    """
    weights = np.ones(approval_probability.size)
    drawn = ~np.isnan(approval_probability)
    if not (drawn & approved).any() or not (drawn & ~approved & ~labelled).any():
        return weights
    weights[drawn] = np.where(approved[drawn], 1 / approval_probability[drawn], 0.0)
    return weights


def scaled(weights: FloatArray, counts: FloatArray | None = None) -> FloatArray:
    """Return the number of decisions that decisions stand for, scaled to those that were drawn.

    Weights other than 1 are of decisions that were drawn (a probability is at most
    `scoring.exploration.MAX_SHARE`); they add up to the number of these.

    Args:
        weights: weight of each decision, or of each of g groups of decisions, float64 (g,).
        counts: number of decisions in each group, of k samples, float64 (k, g); None: one each.

    Returns:
        Weighted counts, in the shape of `counts` or of `weights`.
    """
    counts_of = np.ones_like(weights) if counts is None else counts
    drawn = weights != 1
    result: FloatArray = counts_of * weights
    if drawn.any():
        known = result[..., drawn].sum(axis=-1, keepdims=True)
        total = counts_of[..., drawn].sum(axis=-1, keepdims=True)
        factor = np.divide(total, known, out=np.zeros_like(known), where=known > 0)
        result[..., drawn] *= factor
    return result
