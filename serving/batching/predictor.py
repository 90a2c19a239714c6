"""Who decides which transaction of a batch, and what they say: a matrix and a pass a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext

from observability.batch_stages import Stopwatch
from scoring.errors import SentinelError
from scoring.features import TransactionColumns, feature_matrix
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.model.sandbox import fixed_prediction
from scoring.policy import Policy
from scoring.prediction import Prediction
from scoring.transaction import Transaction
from serving.batching.item import Item
from serving.deployment.assignment import ModelAssignment


class Predictor:
    """Scores, explains and decides transactions of many tenants; stores nothing.

    Args:
        locks: of the boosters.
    """

    def __init__(self, locks: BoosterLocks) -> None:
        self._locks = locks

    def predict(
        self, items: Sequence[Item], watch: Stopwatch
    ) -> list[list[Prediction] | SentinelError]:
        """Score items grouped by model, each group as one matrix; answers in the items' order."""
        transactions: list[Transaction] = []
        deciders: list[FraudModel | None] = []
        assignments: list[ModelAssignment] = []
        outcomes: list[range | SentinelError] = []
        for item in items:
            try:
                deciders += deciders_of(item)
            except SentinelError as error:
                outcomes.append(error)
            else:
                outcomes.append(range(len(transactions), len(deciders)))
                transactions += item.transactions
                assignments += [item.assignment] * len(item.transactions)
        predicted = self.predict_rows(transactions, deciders, assignments, watch)
        return [
            outcome if isinstance(outcome, SentinelError) else [predicted[i] for i in outcome]
            for outcome in outcomes
        ]

    def predict_rows(
        self,
        transactions: Sequence[Transaction],
        deciders: Sequence[FraudModel | None],
        assignments: Sequence[ModelAssignment],
        watch: Stopwatch,
    ) -> list[Prediction]:
        """Decide each transaction with its decider and assignment, in order."""
        members: dict[int, list[int]] = defaultdict(list)
        for i, decider in enumerate(deciders):
            members[id(decider)].append(i)
        predicted: dict[int, Prediction] = {}
        for group in members.values():
            model, given = deciders[group[0]], [transactions[i] for i in group]
            if model is None:
                predictions = [fixed_prediction(transaction) for transaction in given]
            else:
                policies = [assignments[i].policy_over(model) for i in group]
                predictions = self._predict_by(model, given, policies, watch)
            predicted.update(zip(group, predictions, strict=True))
            watch.lap("decide")
        return [predicted[i] for i in range(len(deciders))]

    def _predict_by(
        self,
        model: FraudModel,
        transactions: Sequence[Transaction],
        policies: Sequence[Policy],
        watch: Stopwatch,
    ) -> list[Prediction]:
        """Decide with one model; the lap of `decide` is left to the caller to end."""
        watch.lap("decide")
        matrix = feature_matrix(TransactionColumns.from_transactions(transactions))
        watch.lap("features")
        # Compiled trees never change, and the shadow may hold the booster's lock for long.
        with nullcontext() if model.compiled else self._locks.of(model):
            scored = model.explain_matrix(matrix)
        watch.lap("score_explain")
        return model.decide(scored, policies)


def deciders_of(item: Item) -> list[FraudModel | None]:
    """Return the model that decides each of an item's transactions; None: the fixed tests do."""
    assignment = item.assignment
    if assignment.canary is None and not assignment.deployment.is_test:
        # Whatever a transaction says, so that the first one speaks for a thousand.
        return [assignment.decider(item.transactions[0])] * len(item.transactions)
    return [
        None if assignment.is_fixed_test(t) else assignment.decider(t) for t in item.transactions
    ]
