"""Labelled transactions that a champion and a challenger both decided, and their source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from persistence.labels.reader import SELECTION_BIAS, MaturedPairs
from scoring.evaluation.comparison import MIN_FRAUDS, Decisions
from scoring.features import BoolArray, FloatArray, feature_matrix
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel
from scoring.prediction import ModelVersion
from training.data.loading import LabelledTransactions
from training.data.maturity_window import Window
from training.errors import NoEvidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """n labelled transactions that two versions decided.

    Attributes:
        champion: scores and reviews of the version in production.
        challenger: scores and reviews of the version compared with it.
        amount: money, float64 (n,).
        is_fraud: bool (n,).
        costs: cost of each error, the same for both.
        over: description of the transactions, to follow their number in a sentence.
        facts: origin of the transactions, for the run's parameters.
        notes: sentences that belong beside the figures.
    """

    champion: Decisions
    challenger: Decisions
    amount: FloatArray
    is_fraud: BoolArray
    costs: CostModel
    over: str
    facts: dict[str, object]
    notes: tuple[str, ...]


def from_pairs(
    pairs: MaturedPairs,
    window: Window,
    champion: ModelVersion,
    challenger: ModelVersion,
    costs: CostModel,
) -> Evidence:
    """Take stored decisions and shadow scores; each side decided by the policy of its time.

    Raises:
        NoEvidence: there are none, or too few frauds among them; says how many are needed.
    """
    count, frauds = pairs.is_fraud.size, int(np.count_nonzero(pairs.is_fraud))
    both = f"{champion.name} versions {champion.version} and {challenger.version}"
    if count == 0:
        raise NoEvidence(
            f"There are no transactions {window} that {both} both scored. Shadow scores begin when "
            f"version {challenger.version} gets the alias `challenger`, and count once they are "
            "mature; a lower --maturity-days looks at younger ones."
        )
    if frauds < MIN_FRAUDS:
        raise NoEvidence(
            f"{both} both scored {count:,} transactions {window}, but only {frauds:,} of them are "
            f"frauds; at least {MIN_FRAUDS} are needed to say which is better. Wait for more "
            "feedback, or widen --window-days."
        )
    labelled = int(np.count_nonzero(pairs.labelled))
    notes = [
        f"Labels: {labelled:,} of the transactions were looked at by an analyst; the other "
        f"{count - labelled:,} are presumed honest. {SELECTION_BIAS}"
    ]
    if pairs.truncated:
        notes.append(f"Only the newest {count:,} transactions of the window were looked at.")
    return Evidence(
        Decisions(pairs.champion_score, pairs.champion_review),
        Decisions(pairs.challenger_score, pairs.challenger_review),
        pairs.amount,
        pairs.is_fraud,
        costs,
        f"matured transactions ({window})",
        {
            "source": "shadow scores",
            "maturity_days": window.maturity_days,
            "window_days": window.window_days,
            "labelled": labelled,
        },
        tuple(notes),
    )


def from_models(
    champion: FraudModel,
    challenger: FraudModel,
    data: LabelledTransactions,
    from_step: int | None,
    until_step: int | None,
) -> Evidence:
    """Let both models decide labelled transactions, each by its own policy.

    Raises:
        NoEvidence: there are too few frauds in those hours.
    """
    rows = data.rows_of_hours(from_step, until_step)
    is_fraud = data.is_fraud[rows]
    frauds = int(np.count_nonzero(is_fraud))
    if frauds < MIN_FRAUDS:
        raise NoEvidence(
            f"{data.source} has {is_fraud.size:,} transactions and {frauds:,} frauds in these "
            f"hours; at least {MIN_FRAUDS} frauds are needed to say which version is better."
        )
    matrix = np.ascontiguousarray(feature_matrix(data.columns)[rows])
    sides = []
    for model in (champion, challenger):
        score = model.calibrator(model.margins(matrix))
        sides.append(Decisions(score, score >= model.policy.threshold))
    first, last = int(data.step[rows.start]), int(data.step[rows.stop - 1])
    return Evidence(
        sides[0],
        sides[1],
        data.columns.amount[rows],
        is_fraud,
        champion.policy.cost_model,
        f"transactions of {data.source} (hours {first} to {last})",
        {
            "source": data.source,
            "data_fingerprint": data.fingerprint,
            "steps": f"{first} to {last}",
        },
        (),
    )
