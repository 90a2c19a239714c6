"""What happens to one adaptive batch: score, explain and decide it, store it, answer each item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from api.boosters import BoosterLocks
from api.lineup import Lineup
from api.shadow import ShadowScorer, ShadowTask
from api.stages import Api, Stopwatch, observe
from persistence.decisions import Decided
from persistence.ids import new_ids
from persistence.log import DecisionLog
from scoring.errors import SentinelError
from scoring.features import TransactionColumns, feature_matrix
from scoring.fixed_tests import MODEL as FIXED_TEST_MODEL
from scoring.fixed_tests import fixed_prediction
from scoring.model import FraudModel
from scoring.policy import Policy
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
        queued_s: the same when the item was made, to wait for its batch.
    """

    tenant_id: int
    lineup: Lineup
    transactions: Sequence[Transaction]
    arrived_s: float
    queued_s: float = field(default_factory=perf_counter)


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
        watch = Stopwatch(item.queued_s for item in items)
        scored = self._predict(items, watch)
        answers: dict[int, Answer] = {
            i: s for i, s in enumerate(scored) if isinstance(s, SentinelError)
        }
        pending = [
            (i, _decided(items[i], s)[0])
            for i, s in enumerate(scored)
            if not isinstance(s, SentinelError)
        ]
        watch.lap("decide")
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
            watch.lap("store")
        _observe("score", items, watch)
        return [answers[i] for i in range(len(items))]

    def score_bulk(self, items: Sequence[Item]) -> list[Answer]:
        """Decide many transactions per item; each item is one transaction of its own."""
        watch = Stopwatch(item.queued_s for item in items)
        answers: list[Answer] = []
        for item, scored in zip(items, self._predict(items, watch), strict=True):
            if isinstance(scored, SentinelError):
                answers.append(scored)
                continue
            pending = _decided(item, scored)
            watch.lap("decide")
            try:
                stored = self._log.write_whole(pending)
            except SentinelError as error:
                answers.append(error)
                continue
            finally:
                watch.lap("store")
            answers.append(stored)
            self._offer(
                (item, decided)
                for decided, outcome in zip(pending, stored, strict=True)
                if outcome is decided
            )
        _observe("bulk", items, watch)
        return answers

    def explain(self, items: Sequence[Item]) -> list[list[Prediction] | SentinelError]:
        """Score and explain without storing."""
        watch = Stopwatch(item.queued_s for item in items)
        predicted = self._predict(items, watch)
        _observe("explain", items, watch)
        return predicted

    def _predict(
        self, items: Sequence[Item], watch: Stopwatch
    ) -> list[list[Prediction] | SentinelError]:
        """Score items grouped by model, each group as one matrix; answers in the items' order."""
        transactions: list[Transaction] = []
        deciders: list[FraudModel | None] = []
        lineups: list[Lineup] = []
        outcomes: list[range | SentinelError] = []
        for item in items:
            try:
                deciders += _deciders(item)
            except SentinelError as error:
                outcomes.append(error)
            else:
                outcomes.append(range(len(transactions), len(deciders)))
                transactions += item.transactions
                lineups += [item.lineup] * len(item.transactions)
        members: dict[int, list[int]] = defaultdict(list)
        for i, decider in enumerate(deciders):
            members[id(decider)].append(i)
        predicted: dict[int, Prediction] = {}
        for group in members.values():
            model, given = deciders[group[0]], [transactions[i] for i in group]
            if model is None:
                predictions = [fixed_prediction(transaction) for transaction in given]
            else:
                policies = [lineups[i].policy_over(model) for i in group]
                predictions = self._predict_by(model, given, policies, watch)
            predicted.update(zip(group, predictions, strict=True))
            watch.lap("decide")
        return [
            outcome if isinstance(outcome, SentinelError) else [predicted[i] for i in outcome]
            for outcome in outcomes
        ]

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
        with self._locks.of(model):
            scored = model.explain_matrix(matrix)
        watch.lap("score_explain")
        return model.decide(scored, policies)

    def _offer(self, stored: Iterable[tuple[Item, Decided]]) -> None:
        tasks = []
        for item, decided in stored:
            if item.lineup.seats.challenger is None:
                continue
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


def _deciders(item: Item) -> list[FraudModel | None]:
    """Return the model that decides each of an item's transactions; None: the fixed tests do."""
    lineup = item.lineup
    if lineup.canary is None and not lineup.seats.is_test:
        # Whatever a transaction says, so that the first one speaks for a thousand.
        return [lineup.decider(item.transactions[0])] * len(item.transactions)
    return [None if lineup.is_fixed_test(t) else lineup.decider(t) for t in item.transactions]


def _observe(api: Api, items: Sequence[Item], watch: Stopwatch) -> None:
    observe(watch.times(api, sum(len(item.transactions) for item in items)))


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
