"""Split rows at random, for comparison with the split by time.

On a random split a model is tested on the hours that it was trained on, so the figures do not
measure performance on later hours. The difference from the split by time shows how much they
overestimate it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray
from scoring.counted import counted
from training.data.split import Split
from training.pipeline.evaluation import Evaluation
from training.pipeline.pipeline import Sample

NO_TIME = (
    "The rows have no time, so the split itself is random: the figures do not show what becomes of "
    "the model as fraud changes."
)
"""Sentence on figures without a split by time."""


def random_order(is_fraud: BoolArray, parts: Split, seed: int) -> NDArray[np.intp]:
    """Put the rows in use into a random order under which `parts` are parts of a random split.

    Each part keeps its count of rows and of frauds, as does the early-stopping slice. The average
    precision depends on the fraud rate, which drifts with time: with other rates the two splits
    could not be compared.

    Args:
        is_fraud: labels, bool (n,).
        parts: split by time.
        seed: seed of the order.

    Returns:
        Row numbers, one for each row in `parts`.
    """
    rng = np.random.default_rng(seed)
    slices = [parts.learning, parts.stopping, *(part.rows for part in list(parts)[1:])]
    used = slices[-1].stop
    frauds = iter(rng.permutation(np.flatnonzero(is_fraud[:used])))
    others = iter(rng.permutation(np.flatnonzero(~is_fraud[:used])))
    order = np.empty(used, dtype=np.intp)
    for rows in slices:
        here = is_fraud[rows]
        kinds = rng.permutation(here)
        order[rows][kinds] = np.fromiter(frauds, np.intp, count=int(here.sum()))
        order[rows][~kinds] = np.fromiter(others, np.intp, count=int((~here).sum()))
    return order


def reordered(sample: Sample, order: NDArray[np.intp]) -> Sample:
    """Return the rows in this order, with their position as step."""
    return Sample(
        matrix=sample.matrix[order],
        amount=sample.amount[order],
        is_fraud=sample.is_fraud[order],
        step=np.arange(order.size, dtype=np.float64),
        features=sample.features,
    )


def explain_difference(by_time: Evaluation, at_random: Evaluation) -> str:
    """Return a sentence or two on the difference between the PR-AUC of the two splits."""
    time, random = by_time.intervals["pr_auc"], at_random.intervals["pr_auc"]
    figures = f"PR-AUC is {random.value:.4f} on a random split and {time.value:.4f} by time"
    if random.low > time.high:
        return (
            f"{figures}, and the intervals do not overlap: fraud changes with time, and figures on "
            "a random split are too good for the coming weeks. Expect the figures by time."
        )
    if random.high < time.low:
        return (
            f"{figures}, and the intervals do not overlap: the last hours were easier than the "
            "average ones. Expect worse figures, and evaluate again on newer hours."
        )
    return (
        f"{figures}, and the intervals overlap: with "
        f"{counted(int(by_time.is_fraud.sum()), 'fraud')} to "
        "test on, no drift between the hours of training and of the test is shown."
    )
