"""Collect labelled transactions that a champion and a challenger both decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from persistence.labels.reader import MaturedPairs, selection_bias
from scoring.columns import BoolArray, FloatArray
from scoring.counted import counted
from scoring.evaluation.comparison import MIN_FRAUDS, Decisions
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel
from scoring.prediction import ModelVersion
from training.data.labelled_events import LabelledEvents
from training.data.maturity_window import Window
from training.errors import NoEvidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """n labelled transactions that two versions decided.

    Attributes:
        champion: scores and decisions of the champion.
        challenger: scores and decisions of the challenger.
        amount: money, float64 (n,).
        is_fraud: labels, bool (n,).
        weights: transactions that each stands for (`scoring.evaluation.weights`), float64 (n,).
        costs: cost of a missed fraud and of a false alarm, the same for both.
        over: phrase for the transactions, which follows their number in a sentence.
        facts: parameters of the run that identify the transactions.
        notes: sentences to print with the figures.
    """

    champion: Decisions
    challenger: Decisions
    amount: FloatArray
    is_fraud: BoolArray
    weights: FloatArray
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
    """Return stored decisions and shadow scores, each under the policy of its time.

    Raises:
        NoEvidence: there are too few frauds among them; the message gives the number needed.
    """
    has_weight = pairs.weights > 0
    count, frauds = pairs.is_fraud.size, int(np.count_nonzero(pairs.is_fraud & has_weight))
    both = f"{champion.name} versions {champion.version} and {challenger.version}"
    if count == 0:
        raise NoEvidence(
            f"There are no transactions {window} that {both} both scored.",
            f"Shadow scores begin when version {challenger.version} gets the alias `challenger`, "
            "and count once they are mature; a lower --maturity-days includes younger ones.",
        )
    if frauds < MIN_FRAUDS:
        raise NoEvidence(
            f"{both} both scored {counted(count, 'transaction')} {window}, but only "
            f"{counted(frauds, 'of them is a fraud', 'of them are frauds')}; at least "
            f"{MIN_FRAUDS} are needed to decide which is better.",
            "Wait for more labels, or widen --window-days.",
        )
    labelled = int(np.count_nonzero(pairs.labelled & has_weight))
    presumed = int(np.count_nonzero(~pairs.labelled & has_weight))
    notes = [
        f"Labels: {counted(labelled, 'of the transactions has', 'of the transactions have')} a "
        "label; "
        f"{counted(presumed, 'other is', 'others are')} presumed honest. "
        f"{selection_bias(pairs.weights, pairs.is_fraud)}"
    ]
    if pairs.truncated:
        notes.append(f"Only the newest {count:,} transactions of the window were read.")
    return Evidence(
        Decisions(pairs.champion_score, pairs.champion_review),
        Decisions(pairs.challenger_score, pairs.challenger_review),
        pairs.amount,
        pairs.is_fraud,
        pairs.weights,
        costs,
        f"matured transactions ({window})",
        {
            "source": "shadow scores",
            **window.facts(),
            "labelled": labelled,
        },
        tuple(notes),
    )


def from_models(
    champion: FraudModel,
    challenger: FraudModel,
    data: LabelledEvents,
    from_step: int | None,
    until_step: int | None,
) -> Evidence:
    """Return the decisions of both models on labelled transactions, each by its own policy.

    Raises:
        NoEvidence: there are too few frauds in the hours from_step to until_step.
    """
    rows = data.rows_of_hours(from_step, until_step)
    is_fraud = data.is_fraud[rows]
    frauds = int(np.count_nonzero(is_fraud))
    if frauds < MIN_FRAUDS:
        raise NoEvidence(
            f"{data.source} has {counted(is_fraud.size, 'transaction')} and "
            f"{counted(frauds, 'fraud')} in these "
            f"hours; at least {MIN_FRAUDS} frauds are needed to decide which is better."
        )
    sides = []
    for model in (champion, challenger):
        matrix = np.ascontiguousarray(data.matrix(model.features)[rows])
        score = model.calibrator(model.margins(matrix))
        sides.append(Decisions(score, score >= model.policy.threshold))
    first, last = int(data.step[rows.start]), int(data.step[rows.stop - 1])
    return Evidence(
        sides[0],
        sides[1],
        data.amount[rows],
        is_fraud,
        np.ones(is_fraud.size),
        champion.policy.cost_model,
        f"transactions of {data.source} ({data.scale.span(rows)})",
        {
            "source": data.source,
            "data_fingerprint": data.fingerprint,
            "steps": f"{first} to {last}",
        },
        (),
    )
