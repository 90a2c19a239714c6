"""A /score without company is decided where it is, on the event loop.

It has no batch to wait for, and two hops to a worker thread and back would be a ninth of its time
(docs/decisions/0010). The loop serves others while Postgres stores it; what it is held up for is
one row's features, explanation and parameters.
"""

from __future__ import annotations

from persistence.decisions.writer import DecisionLog, Outcome
from scoring.errors import SentinelError
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import Answer, Item


class InlineScorer:
    """Decides and stores one transaction at a time on the running event loop.

    Args:
        batches: whose way of deciding and answering it is.
        log: stores decisions before they are answered.
    """

    def __init__(self, batches: BatchScorer, log: DecisionLog) -> None:
        self._batches = batches
        self._log = log

    def fits(self, item: Item) -> bool:
        """Whether nothing would hold the loop up: LightGBM, or a connection to be opened."""
        models = (item.assignment.champion, item.assignment.canary)
        return all(m is None or m.compiled for m in models) and self._log.is_at_hand()

    async def decide(self, item: Item) -> Answer:
        """Decide an item's only transaction, and store it."""
        scores = self._batches.decide([item])
        stored: list[Outcome] = []
        for decided in scores.decided:
            try:
                stored.append(await self._log.write_on_loop(decided, scores.render))
            except SentinelError as error:
                stored.append(error)
        (answer,) = self._batches.answer(scores, stored)
        return answer
