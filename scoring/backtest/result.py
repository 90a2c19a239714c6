"""The result of a backtest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.comparison import MIN_FRAUDS
from scoring.policy import Outcome
from scoring.rules.verdict import Decider

Table = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]
"""Numbers of payments: by what was decided, then by what the candidate decides, as OUTCOMES."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The results of n outcomes, each figure with its 95 % interval.

    Attributes:
        savings: money saved against approving everything.
        reviews: number of payments reviewed.
        declines: number of payments declined.
        caught: number of frauds reviewed or declined.
        missed: number of frauds approved.
        false_alarms: number of honest payments reviewed.
        false_declines: number of honest payments declined.
    """

    savings: Interval
    reviews: Interval
    declines: Interval
    caught: Interval
    missed: Interval
    false_alarms: Interval
    false_declines: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """The candidate against what was decided, from paired resamples.

    Attributes:
        saved: money that the candidate saves more.
        frauds_stopped: number of frauds that were approved and that the candidate stops, which is
            to review or decline.
        frauds_let_pass: number of frauds that were stopped and that the candidate approves.
        honest_stopped: number of honest payments that were approved and that the candidate stops.
        honest_let_pass: number of honest payments that were stopped and that the candidate
            approves.
    """

    saved: Interval
    frauds_stopped: Interval
    frauds_let_pass: Interval
    honest_stopped: Interval
    honest_let_pass: Interval


@dataclass(frozen=True, slots=True)
class Overlap:
    """The payments of a rule or list that something else gave one outcome.

    Attributes:
        decider: what decided.
        id: list whose entry decided, or rule; 0 for the model.
        outcome: what was decided.
        payments: number of them.
        frauds: number of known frauds among them.
    """

    decider: Decider
    id: int
    outcome: Outcome
    payments: int
    frauds: int


@dataclass(frozen=True, slots=True)
class Firing:
    """Where one rule or list fires.

    Attributes:
        fires: number of payments.
        labelled: number of them with a label.
        unseen: number of them that were stopped and have no label: presumed honest, though a
            payment that is stopped seldom shows what it was.
        frauds: number of frauds, estimated where chance approved some payments.
        honest: number of other payments, estimated likewise.
        precision: share of frauds; None where no payment counts.
        overlap: payments by what was decided, and by what; they add up to `fires`.
    """

    fires: int
    labelled: int
    unseen: int
    frauds: Interval
    honest: Interval
    precision: Interval | None
    overlap: tuple[Overlap, ...]

    @property
    def reviewed(self) -> int:
        """Number of payments that were reviewed already."""
        return sum(one.payments for one in self.overlap if one.outcome == "review")

    @property
    def declined(self) -> int:
        """Number of payments that were declined already."""
        return sum(one.payments for one in self.overlap if one.outcome == "decline")


@dataclass(frozen=True, slots=True)
class Day:
    """The decisions of one day in UTC.

    Attributes:
        day: day.
        decisions: number of decisions.
        changed: number of decisions that the candidate decides otherwise.
        reviews_before, declines_before: number of reviews and of declines as decided.
        reviews, declines: number of reviews and of declines by the candidate.
        fires: number of payments for which the rule or list fires; 0 without one.
        labelled_fires: number of those with a label.
        fraud_fires: number of those that are known frauds.
        saved: money that the candidate saves more.
    """

    day: date
    decisions: int
    changed: int
    reviews_before: int
    declines_before: int
    reviews: int
    declines: int
    fires: int
    labelled_fires: int
    fraud_fires: int
    saved: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """A candidate's outcomes against what was decided.

    Numbers without an interval count decisions and known labels as they are. Figures with one are
    estimates: a payment without a label is presumed honest, and where chance approved some
    payments, these stand for the others (`scoring.evaluation.weights`).

    Attributes:
        decisions: number of decisions.
        labelled: number of decisions with a label.
        frauds: number of frauds that count in estimates, one each.
        frauds_changed: number of those that only one of both stops.
        decided: results of what was decided.
        candidate: results of the candidate.
        difference: difference of both.
        changes: number of decisions.
        fraud_changes: number of known frauds.
        firing: where the candidate's rule or list fires; None without one.
        days: days with decisions, the oldest first.
        examples: positions of up to EXAMPLES payments (`scoring.backtest.examples`).
    """

    decisions: int
    labelled: int
    frauds: int
    frauds_changed: int
    decided: Totals
    candidate: Totals
    difference: Difference
    changes: Table
    fraud_changes: Table
    firing: Firing | None
    days: tuple[Day, ...]
    examples: tuple[int, ...]

    @property
    def changed(self) -> int:
        """Number of decisions that the candidate decides otherwise."""
        return self.decisions - sum(self.changes[place][place] for place in range(3))

    @property
    def has_few_frauds(self) -> bool:
        """Whether the difference rests on fewer frauds than its interval needs."""
        return self.frauds_changed < MIN_FRAUDS
