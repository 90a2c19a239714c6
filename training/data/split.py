"""Time-ordered split into four disjoint parts: fit, calibrate, choose the threshold, test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scoring.features import BoolArray, FloatArray
from training.errors import TrainingError

SHARES = {"fit": 0.55, "calibrate": 0.15, "threshold": 0.15, "test": 0.15}
"""Shares of the rows. Frauds are scarce: the three small parts need a hundred or so each."""

EARLY_STOPPING_SHARE = 0.15
"""The last part of `fit` that decides when boosting stops; no later part ever does."""

MIN_FRAUDS = 10
"""Fewer frauds in any part than this and its figures would be noise."""

MIN_STOPPING_FRAUDS = 3

HOURS_A_DAY = 24
QUIET_DAY_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of time.

    Attributes:
        name: a name in SHARES.
        rows: slice of the transactions in time order.
        first_step, last_step: hours, both inclusive; no other part has a row in any of them.
        row_count, fraud_count: what it holds.
    """

    name: str
    rows: slice
    first_step: int
    last_step: int
    row_count: int
    fraud_count: int


@dataclass(frozen=True, slots=True)
class Split:
    """The four parts, earliest first, and what was left out.

    Attributes:
        fit, calibrate, threshold, test: disjoint, in time order, no step in two of them.
        stopping: the last slice of `fit`, for early stopping; `learning` is the rest of `fit`.
        until_step: the last hour in use.
        dropped_rows, dropped_frauds: transactions after it.
    """

    fit: Part
    calibrate: Part
    threshold: Part
    test: Part
    learning: slice
    stopping: slice
    until_step: int
    dropped_rows: int
    dropped_frauds: int

    def __iter__(self) -> Iterator[Part]:
        return iter((self.fit, self.calibrate, self.threshold, self.test))


def last_busy_step(step: FloatArray) -> int:
    """Find the last hour before traffic collapses for good.

    Days are counted back from the last hour, so that each has its own night. A trailing day with
    fewer rows than QUIET_DAY_SHARE of the day that the median row falls on is dropped, and so on
    until a busy day. Simulations that run out of clients, and exports cut at a system's retirement,
    end in such a tail: few payments, the usual number of frauds, and so a fraud rate that says
    nothing of the traffic to come. A quiet day that busy days follow stays.

    Args:
        step: hours, non-decreasing, at least one.
    """
    last = int(step[-1])
    day = (last - step).astype(np.int64) // HOURS_A_DAY
    rows_a_day = np.bincount(day)
    usual = float(np.median(rows_a_day[day]))
    trailing_quiet_days = int(np.argmax(rows_a_day >= QUIET_DAY_SHARE * usual))
    return last - HOURS_A_DAY * trailing_quiet_days


def split(step: FloatArray, is_fraud: BoolArray, until_step: int | None = None) -> Split:
    """Cut transactions at step boundaries into parts of about SHARES of the rows.

    Args:
        step: hours, non-decreasing, float64 (n,), n >= 1.
        is_fraud: bool (n,).
        until_step: the last hour to use; None asks `last_busy_step`.

    Raises:
        TrainingError: there are too few steps, or a part holds fewer than MIN_FRAUDS frauds or
            legitimate transactions.
    """
    until = last_busy_step(step) if until_step is None else until_step
    used = int(np.searchsorted(step, until, side="right"))
    cumulative = np.cumsum(list(SHARES.values()))[:-1].tolist()
    bounds = [0, *(_boundary(step[:used], share) for share in cumulative), used]
    fit, calibrate, threshold, test = (
        _part(name, slice(start, stop), step, is_fraud)
        for name, (start, stop) in zip(SHARES, pairwise(bounds), strict=True)
    )
    middle = _boundary(step[fit.rows], 1.0 - EARLY_STOPPING_SHARE)
    stopping_frauds = int(is_fraud[middle : fit.rows.stop].sum())
    _demand_frauds("early-stopping", stopping_frauds, fit.last_step, MIN_STOPPING_FRAUDS)
    return Split(
        fit,
        calibrate,
        threshold,
        test,
        learning=slice(0, middle),
        stopping=slice(middle, fit.rows.stop),
        until_step=until,
        dropped_rows=step.shape[0] - used,
        dropped_frauds=int(is_fraud[used:].sum()),
    )


def _boundary(step: FloatArray, share: float) -> int:
    """Return the index of the first row of the step that the row at `share` falls in."""
    if not step.size:
        return 0
    return int(np.searchsorted(step, step[int(share * step.shape[0])], side="left"))


def _part(name: str, rows: slice, step: FloatArray, is_fraud: BoolArray) -> Part:
    if rows.stop <= rows.start:
        raise TrainingError(
            f"The transactions span too few steps to be split by time: the {name} part is empty."
        )
    frauds = int(is_fraud[rows].sum())
    first, last = int(step[rows.start]), int(step[rows.stop - 1])
    _demand_frauds(name, frauds, last, MIN_FRAUDS)
    count = rows.stop - rows.start
    if count - frauds < MIN_FRAUDS:
        raise TrainingError(f"The {name} part holds hardly a legitimate transaction.")
    return Part(name, rows, first, last, count, frauds)


def _demand_frauds(name: str, frauds: int, last_step: int, least: int) -> None:
    if frauds < least:
        raise TrainingError(
            f"The {name} part of the split by time (up to step {last_step}) holds {frauds} frauds; "
            f"at least {least} are needed. Give more transactions."
        )
