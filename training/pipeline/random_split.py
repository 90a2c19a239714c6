"""The split that most reports use, beside the one that this project believes: rows at random.

Judged on rows drawn from the hours that it learned from, a model is asked nothing about the future.
The distance between the two figures says how much of a usual report would be promise only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.features import BoolArray
from training.data.split import Split
from training.pipeline.evaluation import Evaluation
from training.pipeline.pipeline import Sample


def random_order(is_fraud: BoolArray, parts: Split, seed: int) -> NDArray[np.intp]:
    """Put the rows in use into a random order under which `parts` are parts of a random split.

    Each part keeps its count of rows and of frauds, the early-stopping slice too. The average
    precision depends on the fraud rate, which drifts with time: with other rates the two splits
    could not be compared.

    Args:
        is_fraud: bool (n,). parts: the split by time. seed: the same gives the same order.

    Returns:
        Row numbers, as many as `parts` have rows.
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
    """Return the rows in another order; a row's place becomes its step."""
    return Sample(
        matrix=sample.matrix[order],
        amount=sample.amount[order],
        is_fraud=sample.is_fraud[order],
        step=np.arange(order.size, dtype=np.float64),
    )


def what_the_difference_means(by_time: Evaluation, at_random: Evaluation) -> str:
    """Say in a sentence or two what the two splits' PR-AUC tell."""
    time, random = by_time.intervals["pr_auc"], at_random.intervals["pr_auc"]
    figures = f"PR-AUC is {random.value:.4f} on a random split and {time.value:.4f} by time"
    if random.low > time.high:
        return (
            f"{figures}, and the intervals do not overlap: fraud changes with time, and a report "
            "on a random split would promise what the next weeks do not keep. Expect the figures "
            "by time."
        )
    if random.high < time.low:
        return (
            f"{figures}, and the intervals do not overlap: the last hours were easier than the "
            "average ones. Expect that to pass, and judge again on newer hours."
        )
    return (
        f"{figures}, and the intervals overlap: with {int(by_time.is_fraud.sum()):,} frauds to "
        "test on, no drift between the hours learned from and those tested on can be shown."
    )
