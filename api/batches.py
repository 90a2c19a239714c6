"""What happens to one adaptive batch: score, explain and decide it, store it, answer each item."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from api.serving import TenantModels
from persistence.decisions import Decided
from persistence.ids import new_ids
from persistence.log import DecisionLog
from scoring.errors import SentinelError
from scoring.model import FraudModel
from scoring.prediction import Prediction
from scoring.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Item:
    """One request in a batch. It carries its tenant: batch-mates belong to others.

    Attributes:
        tenant_id: whose model decides and whose rows are written.
        transactions: at least one; more than one is stored whole or not at all.
        arrived_s: `perf_counter()` when the request arrived.
    """

    tenant_id: int
    transactions: Sequence[Transaction]
    arrived_s: float


Answer = list[Decided] | SentinelError
"""An item's decisions in its order, or its own error: an exception would fail its batch-mates."""


class Batches:
    """Decides batches of items of many tenants. Blocking; called on worker threads."""

    def __init__(self, models: TenantModels, log: DecisionLog) -> None:
        self._models = models
        self._log = log
        # Calls on one LightGBM booster from several threads race.
        self._scoring = threading.Lock()

    def score(self, items: Sequence[Item]) -> list[Answer]:
        """Decide one transaction per item and store all in one statement."""
        scored = self._predict(items)
        answers: dict[int, Answer] = {
            i: s for i, s in enumerate(scored) if isinstance(s, SentinelError)
        }
        pending = [
            (i, self._decided(items[i], s)[0])
            for i, s in enumerate(scored)
            if not isinstance(s, SentinelError)
        ]
        if pending:
            try:
                stored = self._log.write([decided for _, decided in pending])
            except SentinelError as error:
                answers.update((i, error) for i, _ in pending)
            else:
                for (i, _), outcome in zip(pending, stored, strict=True):
                    answers[i] = outcome if isinstance(outcome, SentinelError) else [outcome]
        return [answers[i] for i in range(len(items))]

    def score_bulk(self, items: Sequence[Item]) -> list[Answer]:
        """Decide many transactions per item; each item is one transaction of its own."""
        answers: list[Answer] = []
        for item, scored in zip(items, self._predict(items), strict=True):
            if isinstance(scored, SentinelError):
                answers.append(scored)
                continue
            try:
                answers.append(self._log.write_whole(self._decided(item, scored)))
            except SentinelError as error:
                answers.append(error)
        return answers

    def explain(self, items: Sequence[Item]) -> list[list[Prediction] | SentinelError]:
        """Score and explain without storing."""
        return self._predict(items)

    def _predict(self, items: Sequence[Item]) -> list[list[Prediction] | SentinelError]:
        """Score items grouped by model, each group as one matrix; answers in the items' order."""
        answers: dict[int, list[Prediction] | SentinelError] = {}
        groups: dict[int, tuple[FraudModel, list[int]]] = {}
        positions: dict[int, list[int]] = defaultdict(list)
        for i, item in enumerate(items):
            try:
                model = self._models.serving(item.tenant_id)
            except SentinelError as error:
                answers[i] = error
                continue
            positions[id(model)].append(i)
            groups[id(model)] = (model, positions[id(model)])
        for model, members in groups.values():
            transactions = [t for i in members for t in items[i].transactions]
            with self._scoring:
                predictions = iter(model.predict(transactions))
            for i in members:
                answers[i] = [next(predictions) for _ in items[i].transactions]
        return [answers[i] for i in range(len(items))]

    @staticmethod
    def _decided(item: Item, predictions: Sequence[Prediction]) -> list[Decided]:
        latency_ms = (perf_counter() - item.arrived_s) * 1e3
        return [
            Decided(item.tenant_id, *new_ids(), transaction, prediction, latency_ms)
            for transaction, prediction in zip(item.transactions, predictions, strict=True)
        ]
