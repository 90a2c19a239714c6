"""Decide one adaptive batch: score, explain, decide and store it, then answer each item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from uuid import UUID

from observability.batch_stages import Api, Stopwatch
from observability.tracing import Traces
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog, KeysRefused, Outcome
from persistence.journal.log import JournalledLog
from persistence.uuid7 import new_ids, unix_ms_of
from scoring.errors import FieldError, InFlight, InvalidRequest, SentinelError
from scoring.event import AnyEvent
from scoring.exploration import Exploration
from scoring.model.sandbox import MODEL as FIXED_TEST_MODEL
from scoring.prediction import Prediction
from serving.batching.item import Answer, AnsweredBatch, Item
from serving.batching.predictor import Predictor, rows_of
from serving.batching.telemetry import BatchReport
from serving.responses import Answered, RenderedReplies
from serving.shadow import ShadowScorer, ShadowTask

PART_ROWS = 256
"""Rows of a /score/batch request that are scored together. Postgres stores one part while the next
is scored, which takes about as long. The explanation kernel uses blocks of the same size."""


@dataclass(frozen=True, slots=True)
class DecidedBatch:
    """A batch of /score requests that is decided and not yet stored.

    Attributes:
        items: requests of the batch, with one transaction each.
        watch: stopwatch of the batch.
        errors: errors of the items that could not be decided, by position in the batch.
        positions: positions of the items that were decided.
        decisions: decisions of these items, in the same order.
        rendered: replies to these items, after `render`.
    """

    items: Sequence[Item]
    watch: Stopwatch
    errors: dict[int, SentinelError]
    positions: list[int]
    decisions: list[Decided]
    rendered: RenderedReplies = field(default_factory=RenderedReplies)

    def render(self) -> None:
        """Render the decisions; called while Postgres stores them."""
        self.rendered.render(self.decisions)


class BatchScorer:
    """Decides and stores batches of many tenants' items; its methods block their thread.

    Args:
        log: decision log that stores the decisions before the replies.
        predictor: scorer of the items' transactions.
        shadow: scorer that scores stored decisions with the model that did not decide.
        traces: tracer of the process.
        clock: function that returns the time at which it decides, nanoseconds since 1970.
    """

    def __init__(
        self,
        log: DecisionLog | JournalledLog,
        predictor: Predictor,
        shadow: ShadowScorer,
        traces: Traces,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self._log = log
        self._predictor = predictor
        self._shadow = shadow
        self._traces = traces
        self._clock = clock

    def score(self, items: Sequence[Item]) -> AnsweredBatch:
        """Decide one transaction per item, store all in one statement and answer each item."""
        batch = self.decide(items)
        try:
            outcomes = self._log.write(batch.decisions, batch.render) if batch.decisions else []
        except SentinelError as error:
            outcomes = [error] * len(batch.decisions)
        return self.answer(batch, outcomes)

    def decide(self, items: Sequence[Item]) -> DecidedBatch:
        """Decide one transaction per item; stores nothing."""
        watch = Stopwatch(item.queued_s for item in items)
        errors: dict[int, SentinelError] = {}
        decisions: dict[int, Decided] = {}
        ids = [new_ids(len(item.transactions), self._clock()) for item in items]
        predicted = self._predictor.predict(items, [_moment_ms(own) for own in ids], watch)
        for i, predictions in enumerate(predicted):
            if isinstance(predictions, SentinelError):
                errors[i] = predictions
            else:
                (decisions[i],) = _new_decisions(
                    items[i], ids[i], items[i].transactions, predictions
                )
        watch.lap("decide")
        return DecidedBatch(items, watch, errors, list(decisions), list(decisions.values()))

    def store(self, items: Sequence[Item]) -> tuple[list[Outcome], BatchReport]:
        """Decide one transaction per item and store all in one statement; no reply is rendered.

        Returns:
            For each item, in order, its stored decision or its error; and the report to write.

        Raises:
            StoreUnavailable: Postgres did not confirm the commit.
        """
        batch = self.decide(items)
        stored = self._log.write(batch.decisions) if batch.decisions else []
        outcomes: dict[int, Outcome] = {
            **batch.errors,
            **dict(zip(batch.positions, stored, strict=True)),
        }
        new = [
            (items[i], decided)
            for i, decided in zip(batch.positions, batch.decisions, strict=True)
            if outcomes[i] is decided
        ]
        self._offer_to_shadow(new)
        batch.watch.lap("store")
        in_order = [outcomes[i] for i in range(len(items))]
        predictions = [decided.prediction for _, decided in new]
        return in_order, self._report("upload", items, batch.watch, in_order, predictions)

    def answer(self, batch: DecidedBatch, outcomes: Sequence[Outcome]) -> AnsweredBatch:
        """Answer each item and offer the new decisions to the shadow scorer.

        Args:
            batch: batch that was decided.
            outcomes: for each of its decisions, the stored decision or the error.
        """
        answers: dict[int, Answer] = {**batch.errors}
        new: list[tuple[Item, Decided]] = []
        for i, decided, outcome in zip(batch.positions, batch.decisions, outcomes, strict=True):
            if isinstance(outcome, SentinelError):
                answers[i] = outcome
                continue
            # The log returns a new decision itself; a repeated request has its shadow score.
            is_new = outcome is decided or outcome.prediction_id == decided.prediction_id
            answers[i] = Answered([batch.rendered.get(outcome)], not is_new)
            if is_new:
                new.append((batch.items[i], outcome))
        self._offer_to_shadow(new)
        if batch.decisions:
            batch.watch.lap("store")
        return self._with_report(
            "score",
            batch.items,
            batch.watch,
            [answers[i] for i in range(len(batch.items))],
            [decided.prediction for _, decided in new],
        )

    def score_bulk(self, items: Sequence[Item]) -> AnsweredBatch:
        """Decide many transactions per item and store each item in one database transaction."""
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
                stored_now = [decided for decided in stored if decided.decided_at is None]
                replies = [rendered.get(decided) for decided in stored]
                answers.append(Answered(replies, not stored_now))
                new += [(item, decided) for decided in stored_now]
            watch.lap("store")
        self._offer_to_shadow(new)
        predictions = [decided.prediction for _, decided in new]
        return self._with_report("bulk", items, watch, answers, predictions)

    def _store_whole(
        self, item: Item, watch: Stopwatch, rendered: RenderedReplies
    ) -> list[Decided]:
        """Decide an item part by part and store all of it or nothing."""
        ids = new_ids(len(item.transactions), self._clock())
        rows = rows_of(item, _moment_ms(ids))  # raises before a database transaction begins
        decisions: list[Decided] = []

        def parts() -> Iterator[list[Decided]]:
            # The rows of a part see those of the parts before, which are not committed yet.
            windows = self._predictor.windows_of(rows, watch)
            for _, _, error in windows:
                if error is not None:
                    raise error
            for start in range(0, len(rows), PART_ROWS):
                part = slice(start, start + PART_ROWS)
                predictions = self._predictor.predict_rows(rows[part], windows[part], watch)
                decided = _new_decisions(item, ids[part], item.transactions[part], predictions)
                decisions.extend(decided)
                watch.lap("decide")
                yield decided
                watch.lap("store")

        has_keys = any(t.external_id is not None for t in item.transactions)
        try:
            return self._log.write_whole(
                {item.tenant_id},
                parts(),
                lambda: rendered.render(decisions),
                has_keys=has_keys,
                request=item.request,
            )
        except KeysRefused as error:
            errors = tuple(FieldError(f"transactions.{e.field}", e.message) for e in error.errors)
            refused = InFlight if error.are_in_flight else InvalidRequest
            raise refused(error.detail, errors=errors) from error

    def explain(self, items: Sequence[Item]) -> AnsweredBatch:
        """Score and explain the items' transactions; stores nothing."""
        watch = Stopwatch(item.queued_s for item in items)
        now_ms = [self._clock() // 1_000_000] * len(items)
        answers = self._predictor.predict(items, now_ms, watch, are_new=False)
        explained = [answer for answer in answers if not isinstance(answer, SentinelError)]
        predictions = [prediction for answer in explained for prediction in answer]
        return self._with_report("explain", items, watch, answers, predictions)

    def _with_report(
        self,
        api: Api,
        items: Sequence[Item],
        watch: Stopwatch,
        answers: Sequence[Answer | list[Prediction]],
        predictions: Sequence[Prediction],
    ) -> AnsweredBatch:
        """Return the answers with the report that is written after them."""
        return AnsweredBatch(answers, self._report(api, items, watch, answers, predictions))

    def _report(
        self,
        api: Api,
        items: Sequence[Item],
        watch: Stopwatch,
        answers: Sequence[object],
        predictions: Sequence[Prediction],
    ) -> BatchReport:
        return BatchReport(
            times=watch.times(api, sum(len(item.transactions) for item in items)),
            origins=[item.origin for item in items],
            tenants=len({item.tenant_id for item in items}),
            predictions=predictions,
            failed=sum(isinstance(answer, SentinelError) for answer in answers),
            is_stored=api != "explain",
            traces=self._traces,
        )

    def _offer_to_shadow(self, stored: Iterable[tuple[Item, Decided]]) -> None:
        """Offer decisions that Postgres has, of tenants with a challenger, to the shadow scorer."""
        tasks = []
        for item, decided in stored:
            if item.assignment.deployment.challenger is None or decided.is_journalled:
                continue
            policy, model = item.assignment.policy, decided.prediction.model
            other = item.assignment.shadow_version(model)
            if other is not None and model is not FIXED_TEST_MODEL:
                tasks.append(
                    ShadowTask(
                        item.tenant_id,
                        decided.prediction_id,
                        decided.transaction,
                        other,
                        policy.policy if policy else None,
                    )
                )
        if tasks:
            self._shadow.offer(tasks)


def _moment_ms(ids: Sequence[tuple[UUID, UUID]]) -> int:
    """Return the time of predictions, which their ids carry, milliseconds since 1970 UTC."""
    return unix_ms_of(ids[0][1])


def _new_decisions(
    item: Item,
    ids: Sequence[tuple[UUID, UUID]],
    transactions: Sequence[AnyEvent],
    predictions: Sequence[Prediction],
) -> list[Decided]:
    """Return an item's decisions, in the order of its transactions."""
    latency_ms = (perf_counter() - item.arrived_s) * 1e3
    policy = item.assignment.policy
    policy_id = policy.id if policy else None
    if policy and policy.policy and policy.policy.explore:
        predictions = _randomised(policy.policy.explore, ids, transactions, predictions)
    return [
        Decided(
            item.tenant_id,
            *pair,
            transaction,
            prediction,
            latency_ms,
            policy_id=None if prediction.model is FIXED_TEST_MODEL else policy_id,
        )
        for pair, transaction, prediction in zip(ids, transactions, predictions, strict=True)
    ]


def _randomised(
    exploration: Exploration,
    ids: Sequence[tuple[UUID, UUID]],
    transactions: Sequence[AnyEvent],
    predictions: Sequence[Prediction],
) -> list[Prediction]:
    """Return predictions of which chance approves some; fixed tests stay as they are."""
    return [
        prediction
        if prediction.model is FIXED_TEST_MODEL
        else prediction.randomised(exploration, transaction.amount, prediction_id)
        for (_, prediction_id), transaction, prediction in zip(
            ids, transactions, predictions, strict=True
        )
    ]
