"""Choose the fastest of the models whose savings are within one standard error of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray

RowNumbers = NDArray[np.int64]

NOISE = 0.1
"""Least relative difference in time that counts as faster. Timed in turns on a busy machine, two
copies of one model differed by 0.4 to 5 %; timed minutes apart, by up to 30 %."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A completed trial, as input to the choice.

    Attributes:
        number: number of the trial.
        reviewed: numbers of the rows that the model would have reviewed, ascending.
        batch_us: microseconds to explain a row, in batches.
    """

    number: int
    reviewed: RowNumbers
    batch_us: float


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate compared with the best one.

    Attributes:
        number: number of the trial.
        batch_us: microseconds to explain a row, in batches.
        savings: net savings, money.
        savings_error: standard error of the savings over transactions, money.
        behind: savings of the best candidate minus these, money.
        behind_error: standard error of `behind`, money.
        fits: whether `batch_us` is within the latency budget.
    """

    number: int
    batch_us: float
    savings: float
    savings_error: float
    behind: float
    behind_error: float
    fits: bool

    @property
    def is_tied(self) -> bool:
        """Whether it is within the budget and one standard error of the best savings."""
        return self.fits and self.behind <= self.behind_error


@dataclass(frozen=True, slots=True)
class Choice:
    """The result of `choose`.

    Attributes:
        ranked: every candidate, in the order of the trials.
        best: candidate within the budget that saves the most, or None if none is within it.
        chosen: candidate tied with the best that explains fastest, or None.
    """

    ranked: tuple[RankedCandidate, ...]
    best: RankedCandidate | None
    chosen: RankedCandidate | None

    def candidate(self, number: int) -> RankedCandidate | None:
        """Return the candidate of a trial, or None if the trial has none."""
        return next((s for s in self.ranked if s.number == number), None)

    def improves_on(self, number: int) -> bool:
        """Return whether the chosen candidate saves more or explains faster than trial `number`."""
        other = self.candidate(number)
        if self.chosen is None or self.chosen.number == number:
            return False
        if other is None or not other.is_tied:
            return True
        return self.chosen.batch_us < other.batch_us * (1 - NOISE)


def choose(
    candidates: Sequence[Candidate],
    values: FloatArray,
    average_fraud: float,
    budget_us: float | None = None,
) -> Choice:
    """Choose the candidate that explains fastest within one standard error of the best savings.

    Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees" (1984), section 3.4.3;
    Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", section 7.10. All are
    evaluated on the same transactions, so the error is that of the paired difference: a sum over n
    independent payments has sqrt(n) times their standard deviation, to which a bootstrap over
    payments converges. Unpaired, the error is dominated by the number of frauds in the sample, and
    a model that misses one fraud in ten would count as tied. The error is never less than one
    average fraud, as in `training.pipeline.calibration` and `scoring.evaluation.cost_curve`: F
    frauds cannot distinguish a model that misses one in F + 1 from one that misses none. Without
    that minimum a few false alarms would count as a certain difference between two models.

    Args:
        candidates: candidates in the order of the trials.
        values: savings from reviewing each row, money, float64 (n,): the cost of missing a fraud,
            or minus the cost of a false alarm.
        average_fraud: average cost of missing a fraud, money.
        budget_us: most microseconds to explain a row, in batches; None for no limit.
    """
    fitting = [c for c in candidates if budget_us is None or c.batch_us <= budget_us]
    best = max(fitting, key=lambda c: (float(values[c.reviewed].sum()), -c.batch_us), default=None)
    ranked = tuple(
        _standing(c, best, values, average_fraud, fits=any(c is other for other in fitting))
        for c in candidates
    )
    tied = [candidate for candidate in ranked if candidate.is_tied]
    return Choice(
        ranked,
        best=next((s for s in ranked if best is not None and s.number == best.number), None),
        chosen=min(tied, key=lambda s: (s.batch_us, s.behind), default=None),
    )


def _standing(
    candidate: Candidate,
    best: Candidate | None,
    values: FloatArray,
    average_fraud: float,
    *,
    fits: bool,
) -> RankedCandidate:
    reviewed = values[candidate.reviewed]
    better = np.empty(0, dtype=np.int64) if best is None else best.reviewed
    difference = np.concatenate(
        [
            values[np.setdiff1d(better, candidate.reviewed, assume_unique=True)],
            -values[np.setdiff1d(candidate.reviewed, better, assume_unique=True)],
        ]
    )
    return RankedCandidate(
        number=candidate.number,
        batch_us=candidate.batch_us,
        savings=float(reviewed.sum()),
        savings_error=_error_of_sum(reviewed, values.size),
        behind=float(difference.sum()),
        behind_error=max(_error_of_sum(difference, values.size), average_fraud),
        fits=fits,
    )


def _error_of_sum(others: FloatArray, count: int) -> float:
    """Return the standard error of a sum over `count` rows, all 0 but `others`."""
    return float(np.sqrt(np.square(others).sum() - others.sum() ** 2 / count))
