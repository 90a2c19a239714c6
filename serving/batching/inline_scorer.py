"""Decide a single /score on the event loop, when no other request is waiting.

Passing it to a worker thread and back would take a ninth of the request's time
(docs/decisions/0010-single-request.md). The loop serves other requests while Postgres stores the
decision; it is busy only for one row's features, explanation and parameters.
"""

from __future__ import annotations

from persistence.decisions.writer import DecisionLog, Outcome
from persistence.journal.log import JournalledLog
from scoring.errors import SentinelError
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import AnsweredBatch, Item


class InlineScorer:
    """Decides and stores one transaction at a time on the running event loop.

    Args:
        batch_scorer: scorer that decides the item and makes its answer.
        log: decision log that stores the decision before the reply.
    """

    def __init__(self, batch_scorer: BatchScorer, log: DecisionLog | JournalledLog) -> None:
        self._batch_scorer = batch_scorer
        self._log = log

    def fits(self, item: Item) -> bool:
        """Whether `decide` would not block the loop: no LightGBM call, no connection to open.

        Nor a history to read, nor rules to compile.
        """
        assignment, (event, *_) = item.assignment, item.transactions
        rules = assignment.rules
        is_quick = all(
            model.compiled
            and not model.features.windows
            and (rules is None or rules.is_quick(event.event_type, model.features))
            for model in (assignment.champion, assignment.canary)
            if model is not None
        )
        return is_quick and self._log.has_free_connection()

    async def decide(self, item: Item) -> AnsweredBatch:
        """Decide and store an item's only transaction, and return its answer as a batch of one."""
        batch = self._batch_scorer.decide([item])
        outcomes: list[Outcome] = []
        for decided in batch.decisions:
            try:
                outcomes.append(await self._log.write_on_loop(decided, batch.render))
            except SentinelError as error:
                outcomes.append(error)
        return self._batch_scorer.answer(batch, outcomes)
