"""The service without adaptive batching: every request is decided and stored on its own.

Start it with `bentoml serve benchmarks.systems.unbatched:Sentinel`. The requests run on BentoML's
thread pool (the service's `threads`, at most four at a time), not on the worker threads of batches.
Everything else is the unchanged service.
"""

from __future__ import annotations

from typing import Any

from app.bento import SentinelApp
from scoring.errors import SentinelError
from service import Sentinel
from serving.batching.item import Item

__all__ = ["Sentinel"]


async def _decide_in_thread_pool(self: SentinelApp, batchable: str, item: Item) -> Any:  # noqa: ANN401
    decide = getattr(self._service_instance, batchable).local
    (result,), report = await self._to_thread(decide, [item])
    report.write()
    if isinstance(result, SentinelError):
        raise result
    return result


SentinelApp.enqueue = _decide_in_thread_pool  # type: ignore[method-assign]
