"""What happens to one adaptive batch: score, explain and decide it, store it, answer each item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from api.boosters import BoosterLocks
from api.lineup import Lineup
from api.observing import tell_of_batch
from api.replies import Renderings
from api.request_ids import Origin
from api.shadow import ShadowScorer, ShadowTask
from api.stages import Stopwatch
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

PART_ROWS = 256
"""Of a batch of one request: Postgres stores a part while the next is scored, which takes about as
long. It is a block of the kernel too."""


@dataclass(frozen=True, slots=True)
class Item:
    """One request in a batch. It carries its tenant: batch-mates belong to others.

    Attributes:
        tenant_id: whose rows are written.
        lineup: who decides, resolved once for the whole request.
        transactions: at least one; more than one is stored whole or not at all.
        arrived_s: `perf_counter()` when the request arrived.
        origin: the request, for the log and the traces.
        queued_s: `perf_counter()` when the item was made, to wait for its batch.
    """

    tenant_id: int
    lineup: Lineup
    transactions: Sequence[Transaction]
    arrived_s: float
    origin: Origin
    queued_s: float = field(default_factory=perf_counter)


Answer = list[bytes] | SentinelError
"""An item's decisions in its order, rendered, or its own error: an exception would fail its
batch-mates."""


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
            (i, _decided(items[i], items[i].transactions, s)[0])
            for i, s in enumerate(scored)
            if not isinstance(s, SentinelError)
        ]
        watch.lap("decide")
        new: list[tuple[Item, Decided]] = []
        rendered = Renderings()
        if pending:
            try:
                batch = [decided for _, decided in pending]
                stored = self._log.write(batch, lambda: rendered.make(batch))
            except SentinelError as error:
                answers.update((i, error) for i, _ in pending)
            else:
                for (i, _), outcome in zip(pending, stored, strict=True):
                    if isinstance(outcome, SentinelError):
                        answers[i] = outcome
                    else:
                        answers[i] = [rendered.of(outcome)]
                # What was stored now comes back as itself; a repeated request has its shadow.
                new = [
                    (items[i], decided)
                    for (i, decided), outcome in zip(pending, stored, strict=True)
                    if outcome is decided
                ]
                self._offer(new)
            watch.lap("store")
        tell_of_batch(
            watch.times("score", len(items)),
            items,
            [decided.prediction for _, decided in new],
            failed=sum(isinstance(answer, SentinelError) for answer in answers.values()),
            is_stored=True,
        )
        return [answers[i] for i in range(len(items))]

    def score_bulk(self, items: Sequence[Item]) -> list[Answer]:
        """Decide many transactions per item; each item is one transaction of its own."""
        watch = Stopwatch(item.queued_s for item in items)
        answers: list[Answer] = []
        new: list[tuple[Item, Decided]] = []
        for item in items:
            try:
                rendered = Renderings()
                stored = self._store_whole(item, watch, rendered)
            except SentinelError as error:
                answers.append(error)
            else:
                answers.append([rendered.of(decided) for decided in stored])
                new += [(item, decided) for decided in stored if decided.decided_at is None]
            watch.lap("store")
        self._offer(new)
        tell_of_batch(
            watch.times("bulk", sum(len(item.transactions) for item in items)),
            items,
            [decided.prediction for _, decided in new],
            failed=sum(isinstance(answer, SentinelError) for answer in answers),
            is_stored=True,
        )
        return answers

    def _store_whole(self, item: Item, watch: Stopwatch, rendered: Renderings) -> list[Decided]:
        deciders = _deciders(item)  # or an error, before anything is begun
        made: list[Decided] = []

        def parts() -> Iterator[list[Decided]]:
            for start in range(0, len(deciders), PART_ROWS):
                part = slice(start, start + PART_ROWS)
                transactions = item.transactions[part]
                lineups = [item.lineup] * len(transactions)
                predictions = self._predict_rows(transactions, deciders[part], lineups, watch)
                decided = _decided(item, transactions, predictions)
                made.extend(decided)
                watch.lap("decide")
                yield decided
                watch.lap("store")

        has_keys = any(t.external_id is not None for t in item.transactions)
        return self._log.write_whole(
            {item.tenant_id}, parts(), lambda: rendered.make(made), has_keys=has_keys
        )

    def explain(self, items: Sequence[Item]) -> list[list[Prediction] | SentinelError]:
        """Score and explain without storing."""
        watch = Stopwatch(item.queued_s for item in items)
        predicted = self._predict(items, watch)
        explained = [answer for answer in predicted if not isinstance(answer, SentinelError)]
        tell_of_batch(
            watch.times("explain", len(items)),
            items,
            [prediction for predictions in explained for prediction in predictions],
            failed=len(predicted) - len(explained),
            is_stored=False,
        )
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
        predicted = self._predict_rows(transactions, deciders, lineups, watch)
        return [
            outcome if isinstance(outcome, SentinelError) else [predicted[i] for i in outcome]
            for outcome in outcomes
        ]

    def _predict_rows(
        self,
        transactions: Sequence[Transaction],
        deciders: Sequence[FraudModel | None],
        lineups: Sequence[Lineup],
        watch: Stopwatch,
    ) -> list[Prediction]:
        """Decide each transaction with its decider and lineup, in order."""
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


def _decided(
    item: Item, transactions: Sequence[Transaction], predictions: Sequence[Prediction]
) -> list[Decided]:
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
        for transaction, prediction in zip(transactions, predictions, strict=True)
    ]
