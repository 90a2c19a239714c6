"""Where Sentinel touches BentoML's inside: the only room that does, held by a contract test.

BentoML 1.4 offers two public shapes, neither of which fits a scored, stored and tenant-bound reply:
a public batchable API takes and returns bare lists and fails every caller in a batch together, and
a gateway with `bentoml.depends` costs 2 to 3 ms of CPU a request and fails under load. So a plain
API hands one item to the service's own batchable method in the same process
(by its dispatcher, +0.3 ms at most), which keeps BentoML's adaptive batching and its
metrics. See docs/decisions/0001-bentoml-edge.md.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import bentoml
from _bentoml_impl.server.app import ServiceAppFactory
from bentoml._internal.context import server_context
from bentoml._internal.marshal.dispatcher import Optimizer
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware
from bentoml.exceptions import BentoMLException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.openapi import PAGES
from observability.deferred import LoopDeferredQueue, set_deferred_queue
from scoring.errors import Overloaded
from serving.batching.worker_thread import WorkerThread
from serving.fast_path import Api, FastPath
from web.problems import ProblemBackstop
from web.request_metrics import RequestMetrics

BatchItem = TypeVar("BatchItem")


class EagerOptimizer(Optimizer):
    """Never holds a batch back; batches still grow, by what arrives while one is being decided.

    BentoML's own waits as long as earlier batches had waited, its own waiting included, so a single
    client after a burst of 64 stayed at 30 ms a request instead of 3 (`make bench`).
    """

    @property
    def wait(self) -> float:
        """Seconds to wait for company: none."""
        return 0.0

    @wait.setter
    def wait(self, _measured_s: float) -> None: ...


class Inline(Protocol):
    """Decides an item that has no company."""

    def fits(self, item: Any) -> bool:  # noqa: ANN401 - the batchable method's
        """Whether it would not hold up the event loop."""

    async def decide(self, item: Any) -> Any:  # noqa: ANN401 - its answer
        """Answer the item as a batch of its own."""


class SentinelApp(ServiceAppFactory):
    """BentoML's application with a front for the APIs, and no public batch route."""

    def __init__(self, service: bentoml.Service[Any], is_main: bool) -> None:
        super().__init__(service, is_main=is_main)
        self.apis: dict[str, Api] = {}
        self.inline_scorer: dict[str, Inline] = {}
        self._batch_sizes: dict[str, Any] = {}
        self._latest_size = dict.fromkeys(self.dispatchers, 1)
        self._workers = {name: WorkerThread(name) for name in self.dispatchers}
        for dispatcher in self.dispatchers.values():
            dispatcher.optimizer = EagerOptimizer(dispatcher.max_latency)
            dispatcher.get_batch_size = _one
        self._queues = {
            name: dispatcher(functools.partial(self._run_batch, name))
            for name, dispatcher in self.dispatchers.items()
        }

    async def create_instance(self, app: Starlette) -> None:
        """Make the service's instance, with every API bound once.

        BentoML binds an API anew at each access, signature and all: 13 % of the CPU of a /score.
        """
        await super().create_instance(app)
        self._later = LoopDeferredQueue(asyncio.get_running_loop())
        set_deferred_queue(self._later)
        for name, method in self.service.apis.items():
            bound = getattr(self._service_instance, name).local
            bound.local = bound
            setattr(self._service_instance, name, bound)
            if method.batchable:
                self._workers[name].start()
                self._batch_sizes[name] = self.adaptive_batch_size_hist.labels(
                    runner_name=self.service.name,
                    worker_index=server_context.worker_index,
                    method_name=name,
                    service_version=server_context.bento_version,
                    service_name=server_context.bento_name,
                )
            else:
                self.apis[method.route] = bound

    async def destroy_instance(self, app: Starlette) -> None:
        """Let the service go, and its threads with it."""
        for worker in self._workers.values():
            worker.stop()
        self._later.do()
        await super().destroy_instance(app)

    @property
    def routes(self) -> list[BaseRoute]:
        """The system routes; the front answers the APIs, and batches have no route."""
        system = [Route(path, endpoint=getattr(self, path[1:])) for path in ("/livez", "/readyz")]
        return [*system, Route("/metrics", endpoint=self.metrics)]

    @property
    def middlewares(self) -> list[Middleware]:
        """The front, then BentoML's, with the metrics by template in place of those by raw path."""
        front = Middleware(
            FastPath, apis=self.apis, timeout_s=self.timeout, max_in_flight=self.max_concurrency
        )
        fixed = frozenset(r.path for r in [*self.routes, *PAGES.routes] if isinstance(r, Route))
        metrics = Middleware(RequestMetrics, fixed=fixed)
        kept = [m for m in super().middlewares if m.cls is not RunnerTrafficMetricsMiddleware]
        return [front, Middleware(ProblemBackstop), metrics, *kept]

    async def readyz(self, _: Request) -> Response:
        """Whether this process can decide a payment now."""
        response: Response = await self._service_instance.readiness()
        return response

    async def enqueue(self, batchable: str, item: BatchItem) -> Any:  # noqa: ANN401 - its answer
        """Put one item into a batchable method's next batch and return its answer.

        Raises:
            SentinelError: the item's own error, or Overloaded when BentoML sheds it.
        """
        inline_scorer = self.inline_scorer.get(batchable)
        if inline_scorer and self._has_no_company(batchable) and inline_scorer.fits(item):
            return await self._decide_inline(inline_scorer, batchable, item)
        try:
            return await self._queues[batchable](item)
        except BentoMLException as error:
            raise Overloaded("The queue is too long; try again shortly.") from error

    def _has_no_company(self, batchable: str) -> bool:
        """Whether an item would be a batch of one, and the latest one was.

        Right after a batch of several the next ones are on their way: with 16 clients 1 of them
        decided at once and 15 that wait for it are 3,700 a second instead of 4,400.
        """
        dispatcher = self.dispatchers[batchable]
        is_idle = not dispatcher._queue and not dispatcher._sema.is_locked()
        return is_idle and self._latest_size[batchable] == 1

    async def _decide_inline(self, inline_scorer: Inline, batchable: str, item: BatchItem) -> Any:  # noqa: ANN401
        """Decide an item as the dispatcher would, which begins no batch meanwhile."""
        one_at_a_time = self.dispatchers[batchable]._sema
        one_at_a_time.acquire()
        self._batch_sizes[batchable].observe(1)
        try:
            answer = await inline_scorer.decide(item)
        finally:
            one_at_a_time.release()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _run_batch(self, batchable: str, items: Sequence[Any]) -> Sequence[Any]:
        """Decide what the dispatcher has gathered; an answer that is an error, it raises.

        BentoML's `batch_infer` makes its closures, takes a batch apart and joins it again at each
        request: 17 % of a single /score.
        """
        self._latest_size[batchable] = len(items)
        self._batch_sizes[batchable].observe(len(items))
        decide = getattr(self._service_instance, batchable)
        answers: Sequence[Any] = await self._workers[batchable].call(decide, list(items))
        return answers


def _one(_item: object) -> int:
    """Return how many rows a dispatcher counts an item as: a request is one, however long."""
    return 1
