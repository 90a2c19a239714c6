"""Answers to costly questions, asked once however many want to know, and remembered for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any


@dataclass(frozen=True, slots=True)
class _Asked:
    answer: asyncio.Future[Any]
    asked_s: float


class SingleFlightCache:
    """The latest answers by question; one an event loop.

    Args:
        keep_s: how long an answer serves, from when it was asked for.
        most: answers that are kept; the one asked for longest ago goes first.
        now_s: a clock in seconds that never goes back.
    """

    def __init__(self, keep_s: float, most: int, now_s: Callable[[], float] = monotonic) -> None:
        self._keep_s = keep_s
        self._most = most
        self._now_s = now_s
        self._asked: OrderedDict[Hashable, _Asked] = OrderedDict()

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Return the answer; what `ask` raises is raised to all who wait and is not remembered."""
        known = self._asked.get(question)
        if known is None or self._now_s() - known.asked_s >= self._keep_s:
            known = _Asked(asyncio.ensure_future(ask()), self._now_s())
            self._asked[question] = known
            self._asked.move_to_end(question)
            known.answer.add_done_callback(lambda done: self._answered(question, done))
            if len(self._asked) > self._most:
                self._asked.popitem(last=False)
        # Shielded: others may wait for the same answer when this caller hangs up.
        return await asyncio.shield(known.answer)

    def _answered(self, question: Hashable, answer: asyncio.Future[Any]) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        if failed and question in self._asked and self._asked[question].answer is answer:
            del self._asked[question]
