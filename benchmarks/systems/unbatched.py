"""The service without adaptive batching: every request is decided and stored alone.

`bentoml serve benchmarks.systems.unbatched:Sentinel`. Everything else is the service as it is; the
requests go to the same worker threads, at most four at a time.
"""

from __future__ import annotations

from typing import Any

from app.bento import SentinelApp
from scoring.errors import SentinelError
from service import Sentinel
from serving.batching.item import Item

__all__ = ["Sentinel"]


async def _decide_inline(self: SentinelApp, batchable: str, item: Item) -> Any:  # noqa: ANN401
    decide = getattr(self._service_instance, batchable).local
    (answer,), report = await self._to_thread(decide, [item])
    report.write()
    if isinstance(answer, SentinelError):
        raise answer
    return answer


SentinelApp.enqueue = _decide_inline  # type: ignore[method-assign]
