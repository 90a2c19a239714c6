"""The one-standard-error rule: of the models that save as much as the best, the fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features import FloatArray

RowNumbers = NDArray[np.int64]

NOISE = 0.1
"""A model counts as faster than another from this share on. Taking turns on a busy machine, two
copies of one model came out 0.4 to 5 % apart; timed minutes apart, up to 30 %."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that came to its end.

    Attributes:
        number: of the trial.
        reviewed: which of the rows it would have reviewed, ascending.
        batch_us: explained microseconds a row.
    """

    number: int
    reviewed: RowNumbers
    batch_us: float


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """How a candidate stands beside the best one.

    Attributes:
        number, batch_us: the candidate's.
        savings, savings_error: net savings, and their standard error over transactions; money.
        behind, behind_error: how much less than the best, and the standard error of that.
        fits: whether it is within the latency budget.
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
        """Whether it saves as much as the best, as far as these transactions can tell."""
        return self.fits and self.behind <= self.behind_error


@dataclass(frozen=True, slots=True)
class Choice:
    """Who won.

    Attributes:
        ranked: in the order of the trials.
        best: saves the most of those within the budget, or None where none is.
        chosen: explains fastest of those tied with the best, or None.
    """

    ranked: tuple[RankedCandidate, ...]
    best: RankedCandidate | None
    chosen: RankedCandidate | None

    def candidate(self, number: int) -> RankedCandidate | None:
        """Return a trial's candidate, or None where it was no candidate."""
        return next((s for s in self.ranked if s.number == number), None)

    def improves_on(self, number: int) -> bool:
        """Whether the chosen one saves more or explains faster than trial `number`."""
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
    """Take the candidate that explains fastest within one standard error of the best savings.

    Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees" (1984), section 3.4.3;
    Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", section 7.10. All are
    judged on the same transactions, so the error is that of the paired difference: sums of n
    independent payments, sqrt(n) times their standard deviation, which is what a bootstrap over
    payments converges to. Unpaired, the error is that of the number of frauds in the sample, and a
    model that misses one fraud in ten would pass for as good. The error is never less than one
    average fraud (`training.pipeline.calibration` and `scoring.evaluation.cost_curve` think
    alike): F frauds cannot tell
    a model that misses one in F + 1 from one that misses none, and without that floor two models
    that differ by a handful of false alarms would be told apart for certain.

    Args:
        candidates: in the order of the trials.
        values: what reviewing each row brings, money, float64 (n,): the cost of missing a fraud,
            and minus the cost of a false alarm.
        average_fraud: what missing a fraud costs on average, money.
        budget_us: explained microseconds a row at most.
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
