"""Where Sentinel touches BentoML's inside: the only room that does, held by a contract test.

BentoML 1.4 offers two public shapes, neither of which fits a scored, stored and tenant-bound reply:
a public batchable API takes and returns bare lists and fails every caller in a batch together, and
a gateway with `bentoml.depends` costs 2 to 3 ms of CPU a request and fails under load. So a plain
API hands one item to the service's own batchable method in the same process
(`ServiceAppFactory.batch_infer`, +0.3 to 0.5 ms), which keeps BentoML's adaptive batching and its
metrics. See docs/decisions/0001-bentoml-edge.md.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, TypeVar

import bentoml
from _bentoml_impl.server.app import ServiceAppFactory
from bentoml._internal.marshal.dispatcher import Optimizer
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware
from bentoml.exceptions import BentoMLException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.metrics import RequestMetrics
from api.pages import PAGES
from api.problems import ProblemBackstop, problem
from scoring.errors import Overloaded, SentinelError

logger = logging.getLogger("sentinel.api")

BatchItem = TypeVar("BatchItem")


class EagerOptimizer(Optimizer):
    """Never holds a batch back; batches still grow, by what arrives while one is being decided.

    BentoML's own waits as long as earlier batches had waited, its own waiting included, so a lone
    client after a burst of 64 stayed at 30 ms a request instead of 3 (`make bench`).
    """

    @property
    def wait(self) -> float:
        """Seconds to wait for company: none."""
        return 0.0

    @wait.setter
    def wait(self, _measured_s: float) -> None: ...


class SentinelApp(ServiceAppFactory):
    """BentoML's application with raw requests in, problems out, and no public batch route."""

    def __init__(self, service: bentoml.Service[Any], is_main: bool) -> None:
        super().__init__(service, is_main=is_main)
        for dispatcher in self.dispatchers.values():
            dispatcher.optimizer = EagerOptimizer(dispatcher.max_latency)

    async def create_instance(self, app: Starlette) -> None:
        """Make the service's instance, with every API bound once.

        BentoML binds an API anew at each access, signature and all: 13 % of the CPU of a /score.
        """
        await super().create_instance(app)
        for name in self.service.apis:
            bound = getattr(self._service_instance, name).local
            bound.local = bound
            setattr(self._service_instance, name, bound)

    @property
    def routes(self) -> list[BaseRoute]:
        """The system routes and every API that is not itself a batch."""
        system = [Route(path, endpoint=getattr(self, path[1:])) for path in ("/livez", "/readyz")]
        system.append(Route("/metrics", endpoint=self.metrics))
        apis = [
            Route(
                method.route,
                functools.partial(self.api_endpoint_wrapper, name),
                methods=["POST"],
                name=name,
            )
            for name, method in self.service.apis.items()
            if not method.batchable
        ]
        return [*system, *apis]

    @property
    def middlewares(self) -> list[Middleware]:
        """BentoML's, with the metrics by route template in place of those by raw path."""
        fixed = frozenset(r.path for r in [*self.routes, *PAGES.routes] if isinstance(r, Route))
        kept = [m for m in super().middlewares if m.cls is not RunnerTrafficMetricsMiddleware]
        return [Middleware(ProblemBackstop), Middleware(RequestMetrics, fixed=fixed), *kept]

    async def api_endpoint_wrapper(self, name: str, request: Request) -> Response:
        """Hand the raw request to the API; render what it raises as a problem."""
        try:
            api = getattr(self._service_instance, name).local
            response: Response = await api(request)
        except SentinelError as error:
            if error.status >= 500:
                logger.warning("%s: %s", request.url.path, error.detail)
            return problem(error)
        except Exception:
            logger.exception("%s failed", request.url.path)
            return problem(SentinelError("The details are in the log."))
        return response

    async def readyz(self, _: Request) -> Response:
        """Whether this process can decide a payment now."""
        response: Response = await self._service_instance.readiness()
        return response

    async def enqueue(self, batchable: str, item: BatchItem) -> Any:  # noqa: ANN401 - its answer
        """Put one item into a batchable method's next batch and return its answer.

        Raises:
            SentinelError: the item's own error, or Overloaded when BentoML sheds it.
        """
        try:
            (answer,) = await self.batch_infer(batchable, ([item],), {})
        except BentoMLException as error:
            raise Overloaded("The queue is too long; try again shortly.") from error
        if isinstance(answer, SentinelError):
            raise answer
        return answer


class SentinelService(bentoml.Service[Any]):
    """A BentoML service that serves through SentinelApp; its class gets the app as `app`."""

    def to_asgi(self, is_main: bool = True) -> Starlette:
        """Build the ASGI application (called once a worker)."""
        self.inject_config()
        factory = SentinelApp(self, is_main=is_main)
        self.inner.app = factory
        app: Starlette = factory()
        # A path with a slash too many is not there, rather than a redirect nobody documented.
        app.router.redirect_slashes = False
        return app
