"""BentoML's internals, in the only module that touches them; a contract test holds it to them.

BentoML 1.4 offers two public shapes, neither of which fits a scored, stored and tenant-bound reply:
a public batchable API takes and returns bare lists and fails every caller in a batch together, and
a gateway with `bentoml.depends` costs 2 to 3 ms of CPU a request and fails under load. So a plain
API hands one item to the service's own batchable method in the same process (by its dispatcher,
+0.3 ms at most), which keeps BentoML's adaptive batching and its metrics. See
docs/decisions/0001-bentoml-edge.md.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Any, Protocol

import bentoml
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_impl.server.mount import PassiveMount
from bentoml._internal.context import server_context
from bentoml._internal.marshal.dispatcher import Optimizer
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware
from bentoml.exceptions import BentoMLException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.management import create_app
from app.startup import Dependencies
from observability.deferred import LoopDeferredQueue
from observability.tracing import Traces
from scoring.errors import Overloaded
from serving.batching.item import Item
from serving.batching.worker_thread import WorkerThread
from serving.fast_path import Api, FastPath
from web.problems import ProblemBackstop
from web.request_metrics import RequestMetrics

INLINE = "score_batch"
"""The batchable method whose single items are decided on the event loop."""
SYSTEM_PATHS = ("/livez", "/readyz", "/metrics")


class EagerOptimizer(Optimizer):
    """Never holds a batch back; batches still grow, by what arrives while one is being decided.

    BentoML's own rule waits as long as earlier batches had waited, its own waiting included, so a
    single client after a burst of 64 stayed at 30 ms a request instead of 3 (`make bench`).
    """

    @property
    def wait(self) -> float:
        """Seconds that a batch waits for further items: none."""
        return 0.0

    @wait.setter
    def wait(self, _measured_s: float) -> None: ...


class ConnectedService(Protocol):
    """The service's instance, as the application uses it."""

    dependencies: Dependencies

    def open(self, app: SentinelApp) -> None:
        """Connect the process; called once, before the first request."""

    async def readiness(self) -> Response:
        """Report whether this process can decide a payment now."""


class SentinelApp(ServiceAppFactory):
    """BentoML's application with a fast path for the scoring routes and no public batch route.

    Attributes:
        traces: tracer of the process, off until the service switches it on.
    """

    def __init__(self, service: bentoml.Service[Any], is_main: bool) -> None:
        super().__init__(service, is_main=is_main)
        self.traces = Traces()
        self._apis: dict[str, Api] = {}
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
        """Create the service's instance, connect it, bind its APIs and mount the other routes.

        BentoML binds an API again at each access, signature and all: 13 % of the CPU of a /score.
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
        # First, or BentoML's own page would answer at `/`; it matches only the paths that it has.
        app.router.routes.insert(0, PassiveMount("/", create_app(service.dependencies.api)))

    async def destroy_instance(self, app: Starlette) -> None:
        """Stop the threads once all batches are answered, and release the instance."""
        for worker in self._workers.values():
            worker.stop()
        self._deferred.run()
        await super().destroy_instance(app)

    @property
    def routes(self) -> list[BaseRoute]:
        """The system routes; the fast path answers the APIs, and batches have no route."""
        system = [Route(path, endpoint=getattr(self, path[1:])) for path in SYSTEM_PATHS[:2]]
        return [*system, Route("/metrics", endpoint=self.metrics)]

    @property
    def middlewares(self) -> list[Middleware]:
        """The fast path, then BentoML's, with metrics by route template instead of by raw path."""
        fast_path = Middleware(
            FastPath,
            apis=self._apis,
            traces=self.traces,
            timeout_s=self.timeout,
            max_in_flight=self.max_concurrency,
        )
        metrics = Middleware(RequestMetrics, system_paths=SYSTEM_PATHS, traces=self.traces)
        kept = [m for m in super().middlewares if m.cls is not RunnerTrafficMetricsMiddleware]
        return [fast_path, Middleware(ProblemBackstop), metrics, *kept]

    async def readyz(self, _: Request) -> Response:
        """Report whether this process can decide a payment now."""
        response: Response = await self._service_instance.readiness()
        return response

    async def enqueue(self, batchable: str, item: Item) -> Any:  # noqa: ANN401 - its answer
        """Put one item into a batchable method's next batch and return its answer.

        Raises:
            SentinelError: the item's own error, or Overloaded when BentoML sheds it.
        """
        if batchable == INLINE and self._is_idle(batchable) and self._inline_scorer.fits(item):
            return await self._decide_inline(batchable, item)
        try:
            return await self._queues[batchable](item)
        except BentoMLException as error:
            raise Overloaded("The queue is too long; try again shortly.") from error

    def _is_idle(self, batchable: str) -> bool:
        """Whether an item would be a batch of one, as the latest batch was.

        Right after a batch of several items the next ones are on their way: with 16 clients, one
        decided at once and 15 that wait for it come to 3,700 a second instead of 4,400.
        """
        dispatcher = self.dispatchers[batchable]
        is_idle = not dispatcher._queue and not dispatcher._sema.is_locked()
        return is_idle and self._latest_size[batchable] == 1

    async def _decide_inline(self, batchable: str, item: Item) -> Any:  # noqa: ANN401 - its answer
        """Decide an item as the dispatcher would, which begins no batch meanwhile."""
        one_at_a_time = self.dispatchers[batchable]._sema
        one_at_a_time.acquire()
        self._batch_sizes[batchable].observe(1)
        try:
            (answer,), report = await self._inline_scorer.decide(item)
        finally:
            one_at_a_time.release()
        self._deferred.add(report.write, report.rows)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _run_batch(self, batchable: str, items: Sequence[Any]) -> Sequence[Any]:
        """Decide the items that the dispatcher has gathered; it raises answers that are errors.

        BentoML's `batch_infer` makes its closures, takes a batch apart and joins it again at each
        request: 17 % of a single /score.
        """
        self._latest_size[batchable] = len(items)
        self._batch_sizes[batchable].observe(len(items))
        decide = getattr(self._service_instance, batchable)
        return await self._workers[batchable].call(decide, list(items))


def _one(_item: object) -> int:
    """Return the size that a dispatcher counts an item with: a request is one, however long."""
    return 1
