"""The scoring routes in a process without BentoML's server, one request after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.applications import Starlette

from app.startup import Dependencies
from observability.tracing import Traces
from serving.admission import Admission
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import AnsweredBatch, Item
from serving.endpoints import ScoringEndpoints
from serving.fast_path import FastPath
from serving.rate_limits import RateLimits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_TIMEOUT_S = 60.0


class _Direct:
    """Decides each item at once, as a batch of one, in a thread; nobody scrapes its metrics."""

    def __init__(self, scorer: BatchScorer) -> None:
        self._methods: dict[str, Callable[[Sequence[Item]], AnsweredBatch]] = {
            "score_batch": scorer.score,
            "bulk_batch": scorer.score_bulk,
            "explain_batch": scorer.explain,
        }

    async def enqueue(self, batchable: str, item: Any) -> Any:  # noqa: ANN401 - the item's answer
        """Return an item's answer, or raise its error."""
        (answer,), _report = await to_thread.run_sync(self._methods[batchable], [item])
        if isinstance(answer, Exception):
            raise answer
        return answer


def scoring_app(dependencies: Dependencies) -> ASGIApp:
    """Return an ASGI application with the scoring routes of a connected process; others are 404.

    Args:
        dependencies: parts of the process, as `connect` makes them.
    """
    rates = RateLimits()
    endpoints = ScoringEndpoints(
        dependencies.engine,
        dependencies.auth,
        dependencies.alias_follower,
        dependencies.log,
        dependencies.store_checks,
        rates,
        _Direct(dependencies.batch_scorer),
    )
    apis = {
        "/score": endpoints.score,
        "/score/batch": endpoints.score_many,
        "/explain": endpoints.explain,
    }
    return FastPath(
        Starlette(), apis, Traces(), timeout_s=_TIMEOUT_S, admission=Admission(1), rates=rates
    )
