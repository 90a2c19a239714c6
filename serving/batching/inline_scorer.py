"""Decide a single /score on the event loop, where no other request waits for a batch.

There is no batch to wait for, and two hops to a worker thread and back would take a ninth of the
request's time (docs/decisions/0010-single-request.md). The loop serves other requests while
Postgres stores the decision; it is busy only for one row's features, explanation and parameters.
"""

from __future__ import annotations

from persistence.decisions.writer import DecisionLog, Outcome
from scoring.errors import SentinelError
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import AnsweredBatch, Item


class InlineScorer:
    """Decides and stores one transaction at a time on the running event loop.

    Args:
        batch_scorer: scorer that decides and answers.
        log: decision log that stores before the reply.
    """

    def __init__(self, batch_scorer: BatchScorer, log: DecisionLog) -> None:
        self._batch_scorer = batch_scorer
        self._log = log

    def fits(self, item: Item) -> bool:
        """Whether nothing would block the loop: no LightGBM call, no connection to open."""
        models = (item.assignment.champion, item.assignment.canary)
        return all(m is None or m.compiled for m in models) and self._log.is_at_hand()

    async def decide(self, item: Item) -> AnsweredBatch:
        """Decide an item's only transaction, store it, and return it as a batch of one."""
        scores = self._batch_scorer.decide([item])
        stored: list[Outcome] = []
        for decided in scores.decided:
            try:
                stored.append(await self._log.write_on_loop(decided, scores.render))
            except SentinelError as error:
                stored.append(error)
        return self._batch_scorer.answer(scores, stored)
