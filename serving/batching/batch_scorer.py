"""One adaptive batch: score, explain, decide, store, answer each item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from observability.batch_stages import Api, Stopwatch
from observability.tracing import Traces
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog, Outcome
from persistence.uuid7 import new_ids
from scoring.errors import SentinelError
from scoring.model.sandbox import MODEL as FIXED_TEST_MODEL
from scoring.prediction import Prediction
from scoring.transaction import Transaction
from serving.batching.item import Answer, AnsweredBatch, Item
from serving.batching.predictor import Predictor, deciders_of
from serving.batching.telemetry import BatchReport
from serving.responses import RenderedReplies
from serving.shadow import ShadowScorer, ShadowTask

PART_ROWS = 256
"""Of a batch of one request: Postgres stores a part while the next is scored, which takes about as
long. It is a block of the kernel too."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A batch of /score requests that is decided and not yet stored.

    Attributes:
        items: one transaction each.
        watch: its times.
        failed: by the item's place, why it could not be decided.
        places: of the other items. decided: of these, in order.
        rendered: their replies, once they are made.
    """

    items: Sequence[Item]
    watch: Stopwatch
    failed: dict[int, SentinelError]
    places: list[int]
    decided: list[Decided]
    rendered: RenderedReplies = field(default_factory=RenderedReplies)

    def render(self) -> None:
        """Render what was decided; for the time that Postgres takes to store it."""
        self.rendered.make(self.decided)


class BatchScorer:
    """Decides batches of items of many tenants. Blocking; called on worker threads.

    Args:
        log: decision log that stores before the reply.
        predictor: scorer of the items' transactions.
        shadow: scorer that scores stored decisions with the model that did not decide.
        traces: tracer of the process.
    """

    def __init__(
        self, log: DecisionLog, predictor: Predictor, shadow: ShadowScorer, traces: Traces
    ) -> None:
        self._log = log
        self._predictor = predictor
        self._shadow = shadow
        self._traces = traces

    def score(self, items: Sequence[Item]) -> AnsweredBatch:
        """Decide one transaction per item and store all in one statement."""
        scores = self.decide(items)
        try:
            stored = self._log.write(scores.decided, scores.render) if scores.decided else []
        except SentinelError as error:
            stored = [error] * len(scores.decided)
        return self.answer(scores, stored)

    def decide(self, items: Sequence[Item]) -> Scores:
        """Decide one transaction per item."""
        watch = Stopwatch(item.queued_s for item in items)
        predicted = self._predictor.predict(items, watch)
        failed = {i: said for i, said in enumerate(predicted) if isinstance(said, SentinelError)}
        decided = {
            i: _decided(items[i], items[i].transactions, said)[0]
            for i, said in enumerate(predicted)
            if not isinstance(said, SentinelError)
        }
        watch.lap("decide")
        return Scores(items, watch, failed, list(decided), list(decided.values()))

    def answer(self, scores: Scores, stored: Sequence[Outcome]) -> AnsweredBatch:
        """Answer each item.

        Args:
            scores: batch that is decided.
            stored: for each of its decisions, the stored decision or the error.
        """
        answers: dict[int, Answer] = {**scores.failed}
        new: list[tuple[Item, Decided]] = []
        for i, decided, outcome in zip(scores.places, scores.decided, stored, strict=True):
            if isinstance(outcome, SentinelError):
                answers[i] = outcome
                continue
            answers[i] = [scores.rendered.of(outcome)]
            # What was stored now comes back as itself; a repeated request has its shadow.
            if outcome is decided:
                new.append((scores.items[i], decided))
        self._offer(new)
        if scores.decided:
            scores.watch.lap("store")
        return self._answered(
            "score",
            scores.items,
            scores.watch,
            [answers[i] for i in range(len(scores.items))],
            [decided.prediction for _, decided in new],
        )

    def score_bulk(self, items: Sequence[Item]) -> AnsweredBatch:
        """Decide many transactions per item; each item is stored by one database transaction."""
        watch = Stopwatch(item.queued_s for item in items)
        answers: list[Answer] = []
        new: list[tuple[Item, Decided]] = []
        for item in items:
            try:
                rendered = RenderedReplies()
                stored = self._store_whole(item, watch, rendered)
            except SentinelError as error:
                answers.append(error)
            else:
                answers.append([rendered.of(decided) for decided in stored])
                new += [(item, decided) for decided in stored if decided.decided_at is None]
            watch.lap("store")
        self._offer(new)
        predicted = [decided.prediction for _, decided in new]
        return self._answered("bulk", items, watch, answers, predicted)

    def _store_whole(
        self, item: Item, watch: Stopwatch, rendered: RenderedReplies
    ) -> list[Decided]:
        deciders = deciders_of(item)  # or an error, before anything is begun
        made: list[Decided] = []

        def parts() -> Iterator[list[Decided]]:
            for start in range(0, len(deciders), PART_ROWS):
                part = slice(start, start + PART_ROWS)
                transactions = item.transactions[part]
                assignments = [item.assignment] * len(transactions)
                predictions = self._predictor.predict_rows(
                    transactions, deciders[part], assignments, watch
                )
                decided = _decided(item, transactions, predictions)
                made.extend(decided)
                watch.lap("decide")
                yield decided
                watch.lap("store")

        has_keys = any(t.external_id is not None for t in item.transactions)
        return self._log.write_whole(
            {item.tenant_id}, parts(), lambda: rendered.make(made), has_keys=has_keys
        )

    def explain(self, items: Sequence[Item]) -> AnsweredBatch:
        """Score and explain without storing."""
        watch = Stopwatch(item.queued_s for item in items)
        predicted = self._predictor.predict(items, watch)
        explained = [answer for answer in predicted if not isinstance(answer, SentinelError)]
        predictions = [prediction for answer in explained for prediction in answer]
        return self._answered("explain", items, watch, predicted, predictions)

    def _answered(
        self,
        api: Api,
        items: Sequence[Item],
        watch: Stopwatch,
        answers: Sequence[Answer | list[Prediction]],
        predicted: Sequence[Prediction],
    ) -> AnsweredBatch:
        report = BatchReport(
            times=watch.times(api, sum(len(item.transactions) for item in items)),
            origins=[item.origin for item in items],
            tenants=len({item.tenant_id for item in items}),
            predicted=predicted,
            failed=sum(isinstance(answer, SentinelError) for answer in answers),
            is_stored=api != "explain",
            traces=self._traces,
        )
        return AnsweredBatch(answers, report)

    def _offer(self, stored: Iterable[tuple[Item, Decided]]) -> None:
        tasks = []
        for item, decided in stored:
            if item.assignment.deployment.challenger is None:
                continue
            policy, model = item.assignment.policy, decided.prediction.model
            other = item.assignment.shadow_of(model)
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


def _decided(
    item: Item, transactions: Sequence[Transaction], predictions: Sequence[Prediction]
) -> list[Decided]:
    latency_ms = (perf_counter() - item.arrived_s) * 1e3
    own = item.assignment.policy.id if item.assignment.policy else None
    return [
        Decided(
            item.tenant_id,
            *ids,
            transaction,
            prediction,
            latency_ms,
            policy_id=None if prediction.model is FIXED_TEST_MODEL else own,
        )
        for ids, transaction, prediction in zip(
            new_ids(len(transactions)), transactions, predictions, strict=True
        )
    ]
