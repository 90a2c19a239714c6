"""What happens to one adaptive batch: score, explain and decide it, store it, answer each item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

from api.boosters import BoosterLocks
from api.lineup import Lineup
from api.shadow import ShadowScorer, ShadowTask
from persistence.decisions import Decided
from persistence.ids import new_ids
from persistence.log import DecisionLog
from scoring.errors import SentinelError
from scoring.fixed_tests import MODEL as FIXED_TEST_MODEL
from scoring.fixed_tests import fixed_prediction
from scoring.model import FraudModel
from scoring.prediction import Prediction
from scoring.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Item:
    """One request in a batch. It carries its tenant: batch-mates belong to others.

    Attributes:
        tenant_id: whose rows are written.
        lineup: who decides, resolved once for the whole request.
        transactions: at least one; more than one is stored whole or not at all.
        arrived_s: `perf_counter()` when the request arrived.
    """

    tenant_id: int
    lineup: Lineup
    transactions: Sequence[Transaction]
    arrived_s: float


Answer = list[Decided] | SentinelError
"""An item's decisions in its order, or its own error: an exception would fail its batch-mates."""


class Batches:
    """Decides batches of items of many tenants. Blocking; called on worker threads.

    Args:
        log: stores decisions before they are answered.
        shadow: scores what is stored with the model that did not decide.
        locks: of the boosters.
    """

    def __init__(self, log: DecisionLog, shadow: ShadowScorer, locks: BoosterLocks) -> None:
        self._log = log
        self._shadow = shadow
        self._locks = locks

    def score(self, items: Sequence[Item]) -> list[Answer]:
        """Decide one transaction per item and store all in one statement."""
        scored = self._predict(items)
        answers: dict[int, Answer] = {
            i: s for i, s in enumerate(scored) if isinstance(s, SentinelError)
        }
        pending = [
            (i, _decided(items[i], s)[0])
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
                # What was stored now comes back as itself; a repeated request has its shadow.
                self._offer(
                    (items[i], decided)
                    for (i, decided), outcome in zip(pending, stored, strict=True)
                    if outcome is decided
                )
        return [answers[i] for i in range(len(items))]

    def score_bulk(self, items: Sequence[Item]) -> list[Answer]:
        """Decide many transactions per item; each item is one transaction of its own."""
        answers: list[Answer] = []
        for item, scored in zip(items, self._predict(items), strict=True):
            if isinstance(scored, SentinelError):
                answers.append(scored)
                continue
            pending = _decided(item, scored)
            try:
                stored = self._log.write_whole(pending)
            except SentinelError as error:
                answers.append(error)
                continue
            answers.append(stored)
            self._offer(
                (item, decided)
                for decided, outcome in zip(pending, stored, strict=True)
                if outcome is decided
            )
        return answers

    def explain(self, items: Sequence[Item]) -> list[list[Prediction] | SentinelError]:
        """Score and explain without storing."""
        return self._predict(items)

    def _predict(self, items: Sequence[Item]) -> list[list[Prediction] | SentinelError]:
        """Score items grouped by model, each group as one matrix; answers in the items' order."""
        rows: list[_Row] = []
        outcomes: list[range | SentinelError] = []
        for item in items:
            try:
                rows_of_item = [
                    _Row(item, t, None if item.lineup.is_fixed_test(t) else item.lineup.decider(t))
                    for t in item.transactions
                ]
            except SentinelError as error:
                outcomes.append(error)
            else:
                outcomes.append(range(len(rows), len(rows) + len(rows_of_item)))
                rows += rows_of_item
        members: dict[int, list[int]] = defaultdict(list)
        for i, row in enumerate(rows):
            members[id(row.model)].append(i)
        predicted: dict[int, Prediction] = {}
        for group in members.values():
            predictions = self._predict_by(rows[group[0]].model, [rows[i] for i in group])
            predicted.update(zip(group, predictions, strict=True))
        return [
            outcome if isinstance(outcome, SentinelError) else [predicted[i] for i in outcome]
            for outcome in outcomes
        ]

    def _predict_by(self, model: FraudModel | None, rows: Sequence[_Row]) -> list[Prediction]:
        if model is None:
            return [fixed_prediction(row.transaction) for row in rows]
        policies = [row.item.lineup.policy_over(model) for row in rows]
        with self._locks.of(model):
            return model.predict([row.transaction for row in rows], policies)

    def _offer(self, stored: Iterable[tuple[Item, Decided]]) -> None:
        tasks = []
        for item, decided in stored:
            policy, model = item.lineup.policy, decided.prediction.model
            other = item.lineup.shadow_of(model)
            if other is not None and model is not FIXED_TEST_MODEL:
                tasks.append(
                    ShadowTask(
                        item.tenant_id,
                        decided.prediction_id,
                        decided.prediction.features,
                        other,
                        policy.policy if policy else None,
                    )
                )
        if tasks:
            self._shadow.offer(tasks)


@dataclass(frozen=True, slots=True)
class _Row:
    """One transaction of an item, and the model that decides it; None: the fixed tests do."""

    item: Item
    transaction: Transaction
    model: FraudModel | None


def _decided(item: Item, predictions: Sequence[Prediction]) -> list[Decided]:
    latency_ms = (perf_counter() - item.arrived_s) * 1e3
    own = item.lineup.policy.id if item.lineup.policy else None
    return [
        Decided(
            item.tenant_id,
            *new_ids(),
            transaction,
            prediction,
            latency_ms,
            policy_id=None if prediction.model is FIXED_TEST_MODEL else own,
        )
        for transaction, prediction in zip(item.transactions, predictions, strict=True)
    ]
