"""The ASGI application of a worker process; the only module that uses BentoML's internals.

BentoML 1.4 has two public ways to batch, and neither fits a reply that is scored, stored and bound
to a tenant: a public batchable API takes and returns bare lists, and one error fails every caller
in its batch; a gateway with `bentoml.depends` costs 2 to 3 ms of CPU a request and fails under
load. So a plain API passes one item to the dispatcher of a batchable method in the same process
(+0.3 ms at most), which keeps BentoML's adaptive batching and its metrics. See
docs/decisions/0001-bentoml-edge.md.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import bentoml
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_impl.server.mount import PassiveMount
from bentoml._internal.context import server_context
from bentoml._internal.marshal.dispatcher import Optimizer
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from bentoml.exceptions import BentoMLException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.management import create_app
from app.open_paths import ClosedPaths, OpenPaths
from app.startup import Dependencies
from app.upload_timeout import UploadTimeout
from observability.deferred import LoopDeferredQueue
from observability.tracing import Traces
from scoring.errors import Overloaded
from serving.admission import Admission
from serving.batching.item import Item
from serving.batching.worker_thread import WorkerThread
from serving.fast_path import Api, FastPath
from serving.rate_limits import RateLimits
from web.head import HeadAsGet
from web.problems import ProblemBackstop
from web.request_metrics import RequestMetrics

INLINE_METHOD = "score_batch"
"""The batchable method whose single items are decided on the event loop."""
SYSTEM_PATHS = ("/livez", "/readyz", "/metrics")


class EagerOptimizer(Optimizer):
    """An optimizer that starts each batch at once; the items that arrive meanwhile form the next.

    BentoML's own optimizer waits as long as earlier batches waited, and counts its own waiting, so
    a single client after a burst of 64 stays at 30 ms a request instead of 3 (`make bench`).
    """

    @property
    def wait(self) -> float:
        """Seconds that a batch waits for further items: 0."""
        return 0.0

    @wait.setter
    def wait(self, _measured_s: float) -> None: ...


class ConnectedService(Protocol):
    """The part of a service's instance that the application uses."""

    dependencies: Dependencies

    def open(self, app: SentinelApp) -> None:
        """Connect the process to Postgres and MLflow, once, before the first request."""

    async def readiness(self) -> Response:
        """Return 200 when this process can decide a payment now, else 503."""


class SentinelApp(ServiceAppFactory):
    """BentoML's application with a fast path for the scoring routes and no route for batches.

    A /score takes this way: `FastPath` calls `Sentinel.score`, whose endpoint calls `enqueue`.
    `enqueue` decides a single item with the `InlineScorer`. Otherwise the dispatcher gathers a
    batch and calls `_run_batch`, which calls `Sentinel.score_batch` on a `WorkerThread`.

    Attributes:
        traces: tracer of the process, off until the service starts it.
        admission: limit of the scoring requests in flight.
        rate_limits: limits of payments a second, which the service connects.
        open_paths: whether metrics and documentation are served; the service sets it.
    """

    def __init__(self, service: bentoml.Service[Any], is_main: bool) -> None:
        super().__init__(service, is_main=is_main)
        self.traces = Traces()
        self.admission = Admission(self.max_concurrency)
        self.rate_limits = RateLimits()
        self.open_paths = OpenPaths()
        self._apis: dict[str, Api] = {}
        self._batch_sizes: dict[str, Any] = {}
        self._latest_size = dict.fromkeys(self.dispatchers, 1)
        self._workers = {name: WorkerThread(name) for name in self.dispatchers}
        for dispatcher in self.dispatchers.values():
            dispatcher.optimizer = EagerOptimizer(dispatcher.max_latency)
            dispatcher.get_batch_size = _count_one
        self._queues = {
            name: dispatcher(functools.partial(self._run_batch, name))
            for name, dispatcher in self.dispatchers.items()
        }

    async def create_instance(self, app: Starlette) -> None:
        """Create the service's instance, connect it, bind its APIs and mount the management routes.

        Each API is bound once: BentoML binds it at each access and inspects its signature, which
        takes 13 % of the CPU of a /score.
        """
        await super().create_instance(app)
        service: ConnectedService = self._service_instance
        service.open(self)
        self._deferred = LoopDeferredQueue(asyncio.get_running_loop())
        self._inline_scorer = service.dependencies.inline_scorer
        for name, method in self.service.apis.items():
            bound = getattr(service, name).local
            bound.local = bound
            setattr(service, name, bound)
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
                self._apis[method.route] = bound
        # In front of BentoML's own page at `/`; the mount matches only the paths that it has.
        app.router.routes.insert(0, PassiveMount("/", create_app(service.dependencies.api)))

    async def destroy_instance(self, app: Starlette) -> None:
        """Stop the worker threads after their last batch, and release the instance."""
        for worker in self._workers.values():
            worker.stop()
        self._deferred.run()
        await super().destroy_instance(app)

    @property
    def routes(self) -> list[BaseRoute]:
        """The system routes; `FastPath` answers the scoring routes, and batches have no route."""
        system = [Route(path, endpoint=getattr(self, path[1:])) for path in SYSTEM_PATHS[:2]]
        return [*system, Route("/metrics", endpoint=self.metrics)]

    @property
    def middlewares(self) -> list[Middleware]:
        """`FastPath`, then BentoML's middlewares, with metrics by template and time for files."""
        fast_path = Middleware(
            FastPath,
            apis=self._apis,
            traces=self.traces,
            timeout_s=self.timeout,
            admission=self.admission,
            rates=self.rate_limits,
        )
        metrics = Middleware(RequestMetrics, system_paths=SYSTEM_PATHS, traces=self.traces)
        inherited = [m for m in super().middlewares if m.cls is not RunnerTrafficMetricsMiddleware]
        upload_timeout = Middleware(UploadTimeout, timeout=self.timeout)
        inherited = [upload_timeout if m.cls is TimeoutMiddleware else m for m in inherited]
        return [
            fast_path,
            Middleware(HeadAsGet),
            Middleware(ProblemBackstop),
            metrics,
            Middleware(ClosedPaths, open_paths=self.open_paths),
            *inherited,
        ]

    @property
    def scoring_paths(self) -> Collection[str]:
        """The paths of the scoring routes, once the process is connected."""
        return self._apis.keys()

    async def readyz(self, _: Request) -> Response:
        """Return 200 when this process can decide a payment now, else 503."""
        response: Response = await self._service_instance.readiness()
        return response

    async def enqueue(self, batchable: str, item: Item) -> Any:  # noqa: ANN401 - the item's answer
        """Put one item into the next batch of a batchable method and return the item's answer.

        A single item of `score_batch` is decided on the event loop instead.

        Args:
            batchable: name of the batchable method of `Sentinel`.
            item: request that is decided.

        Raises:
            SentinelError: the item's own error, or Overloaded when BentoML rejects the item.
        """
        is_inline = batchable == INLINE_METHOD and self._is_idle(batchable)
        if is_inline and self._inline_scorer.fits(item):
            return await self._decide_inline(batchable, item)
        try:
            return await self._queues[batchable](item)
        except BentoMLException as error:
            raise Overloaded("The queue is too long; try again shortly.") from error

    def _is_idle(self, batchable: str) -> bool:
        """Whether an item would be a batch of one, and the latest batch was one too.

        Right after a batch of several items more are about to arrive: with 16 clients, deciding one
        inline while 15 wait for it reaches 3,700 requests a second instead of 4,400.
        """
        dispatcher = self.dispatchers[batchable]
        is_idle = not dispatcher._queue and not dispatcher._sema.is_locked()
        return is_idle and self._latest_size[batchable] == 1

    async def _decide_inline(self, batchable: str, item: Item) -> Any:  # noqa: ANN401 - its answer
        """Decide an item on the event loop; its semaphore keeps the dispatcher from a batch."""
        semaphore = self.dispatchers[batchable]._sema
        semaphore.acquire()
        self._batch_sizes[batchable].observe(1)
        try:
            (answer,), report = await self._inline_scorer.decide(item)
        finally:
            semaphore.release()
        self._deferred.add(report.write, report.rows)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _run_batch(self, batchable: str, items: Sequence[Any]) -> Sequence[Any]:
        """Decide the items that the dispatcher has gathered, on the method's worker thread.

        Answers that are errors are returned; the dispatcher raises each for its own caller.
        BentoML's `batch_infer` does the same, but makes closures, splits the batch and joins it
        again at each request: 17 % of a single /score.
        """
        self._latest_size[batchable] = len(items)
        self._batch_sizes[batchable].observe(len(items))
        decide = getattr(self._service_instance, batchable)
        return await self._workers[batchable].call(decide, list(items))


def _count_one(_item: object) -> int:
    """Return the size of an item in its batch: 1 for each request, however many rows it has."""
    return 1
