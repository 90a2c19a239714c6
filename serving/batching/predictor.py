"""Score, explain and decide the transactions of a batch, with one feature matrix per model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np

from observability.batch_stages import Stopwatch
from scoring.columns import FloatArray
from scoring.errors import SentinelError
from scoring.event import AnyEvent
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.model.sandbox import fixed_prediction, is_fixed
from scoring.policy import Policy
from scoring.prediction import Prediction
from serving.batching.item import Item
from serving.deployment.assignment import ModelAssignment
from serving.history import History

_NO_WINDOWS: FloatArray = np.empty(0)


class Predictor:
    """Scores, explains and decides transactions of many tenants; stores nothing.

    Args:
        locks: locks of the boosters.
        history: source of the windows of past events.
    """

    def __init__(self, locks: BoosterLocks, history: History) -> None:
        self._locks = locks
        self._history = history

    def predict(
        self, items: Sequence[Item], watch: Stopwatch, *, are_new: bool = True
    ) -> list[list[Prediction] | SentinelError]:
        """Return each item's predictions or its error, in order.

        Args:
            items: requests of the batch.
            watch: stopwatch of the batch.
            are_new: whether the items' transactions are about to be stored.
        """
        transactions: list[AnyEvent] = []
        deciders: list[FraudModel | None] = []
        assignments: list[ModelAssignment] = []
        tenant_ids: list[int] = []
        rows_of_items: list[range | SentinelError] = []
        for item in items:
            try:
                deciders += deciders_of(item)
            except SentinelError as error:
                rows_of_items.append(error)
            else:
                rows_of_items.append(range(len(transactions), len(deciders)))
                transactions += item.transactions
                assignments += [item.assignment] * len(item.transactions)
                tenant_ids += [item.tenant_id] * len(item.transactions)
        windows = self.windows_of(transactions, deciders, tenant_ids, watch, are_new=are_new)
        predictions = self.predict_rows(transactions, deciders, assignments, windows, watch)
        return [
            rows if isinstance(rows, SentinelError) else [predictions[i] for i in rows]
            for rows in rows_of_items
        ]

    def windows_of(
        self,
        transactions: Sequence[AnyEvent],
        deciders: Sequence[FraudModel | None],
        tenant_ids: Sequence[int],
        watch: Stopwatch,
        *,
        are_new: bool = True,
    ) -> list[FloatArray]:
        """Return the windows of each transaction, in order; one read for each model and tenant.

        Args:
            transactions: transactions to decide.
            deciders: model that decides each transaction; None for a fixed test.
            tenant_ids: tenant of each transaction.
            watch: stopwatch of the batch.
            are_new: whether the transactions are about to be stored, so that the windows of each
                see those before it.

        Returns:
            Windows of each transaction, float64 (windows of its model,).
        """
        windows = [_NO_WINDOWS] * len(deciders)
        rows_by_model: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, decider in enumerate(deciders):
            if decider is not None and decider.features.windows:
                rows_by_model[id(decider), tenant_ids[i]].append(i)
        for (_, tenant_id), rows in rows_by_model.items():
            model, group = deciders[rows[0]], [transactions[i] for i in rows]
            assert model is not None  # noqa: S101 - a fixed test has no windows
            watch.lap("decide")
            found = self._history.windows(tenant_id, model.features, group, are_new=are_new)
            for i, of_row in zip(rows, np.array(found).T, strict=True):
                windows[i] = of_row
            watch.lap("features")
        return windows

    def predict_rows(
        self,
        transactions: Sequence[AnyEvent],
        deciders: Sequence[FraudModel | None],
        assignments: Sequence[ModelAssignment],
        windows: Sequence[FloatArray],
        watch: Stopwatch,
    ) -> list[Prediction]:
        """Return a prediction for each transaction, in order; rows of one model share a matrix.

        Args:
            transactions: transactions to decide.
            deciders: model that decides each transaction; None for a fixed test.
            assignments: assignment of each transaction's tenant.
            windows: result of `windows_of` for the transactions.
            watch: stopwatch of the batch.
        """
        rows_by_model: dict[int, list[int]] = defaultdict(list)
        for i, decider in enumerate(deciders):
            rows_by_model[id(decider)].append(i)
        predictions: dict[int, Prediction] = {}
        for rows in rows_by_model.values():
            model, group = deciders[rows[0]], [transactions[i] for i in rows]
            if model is None:
                predicted = [fixed_prediction(event) for event in group if is_fixed(event)]
            else:
                policies = [assignments[i].policy_for(model) for i in rows]
                watch.lap("decide")
                of_model = _by_window([windows[i] for i in rows])
                predicted = self._predict_with(model, group, of_model, policies, watch)
            predictions.update(zip(rows, predicted, strict=True))
            watch.lap("decide")
        return [predictions[i] for i in range(len(deciders))]

    def _predict_with(
        self,
        model: FraudModel,
        transactions: Sequence[AnyEvent],
        windows: Sequence[FloatArray],
        policies: Sequence[Policy],
        watch: Stopwatch,
    ) -> list[Prediction]:
        """Return the predictions of one model; the caller ends the last lap, `decide`."""
        matrix = model.features.matrix_of(transactions, windows)
        watch.lap("features")
        # Compiled trees are immutable; the shadow scorer may hold the booster's lock for long.
        with nullcontext() if model.compiled else self._locks.of(model):
            explained = model.explain_matrix(matrix)
        watch.lap("score_explain")
        return model.decide(explained, policies)


def _by_window(windows: Sequence[FloatArray]) -> Sequence[FloatArray]:
    """Return the values of each window from the windows of each transaction."""
    return list(np.array(windows).T.copy()) if windows[0].size else ()


def deciders_of(item: Item) -> list[FraudModel | None]:
    """Return the model that decides each of an item's transactions; None for a fixed test.

    Raises:
        NoModel: a transaction is no fixed test, and the tenant has no model.
    """
    assignment = item.assignment
    if assignment.canary is None and not assignment.deployment.is_test:
        # The champion decides every transaction, so one call is enough for 1000 rows.
        return [assignment.decider(item.transactions[0])] * len(item.transactions)
    return [
        None if assignment.is_fixed_test(t) else assignment.decider(t) for t in item.transactions
    ]
