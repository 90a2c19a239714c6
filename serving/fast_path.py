"""The front: the payment routes, answered before the framework's router and middlewares.

BentoML's contexts, spans, time-out, concurrency limit and routing, and a layer of `send` for each
of them, were half of the CPU of a /score (docs/performance.md). So the APIs are found here, by
their exact path, and kept to the same limits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from observability.request_id import HEADER, Origin, request_id
from observability.tracing import Traces
from scoring.errors import SentinelError
from web.problems import problem, problem_of_status
from web.request_metrics import count_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("sentinel.api")

CLIENT_CLOSED_REQUEST = 499
"""Nobody reads it; it keeps a caller who hung up (nginx's number) apart from a fault of ours."""

Api = Callable[[Request], Awaitable[Response]]


class FastPath:
    """Answers POST to the APIs' paths and passes every other path on (ASGI middleware).

    Args:
        app: what it wraps.
        apis: API of each path; read again for each request, since start-up adds them.
        traces: tracer of the process.
        timeout_s: after which a request is given up (504).
        max_in_flight: how many requests of these paths are worked on at a time; one more is
            turned away (429).
    """

    def __init__(
        self,
        app: ASGIApp,
        apis: Mapping[str, Api],
        traces: Traces,
        timeout_s: float,
        max_in_flight: int,
    ) -> None:
        self._app = app
        self._apis = apis
        self._traces = traces
        self._timeout_s = timeout_s
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived_s = perf_counter()
        path, method = scope["path"], scope["method"]
        identity = request_id(scope["headers"])
        named = (HEADER, identity.encode())
        api = self._apis.get(path)
        if api is None:
            scope["origin"] = Origin(identity)
            await self._app(scope, receive, _naming(send, named))
            return
        span = None
        if self._traces.on:
            span = self._traces.begin_request(method, path, scope["headers"], identity, arrived_s)
        scope["origin"] = Origin(identity, span)
        response = await self._answer(api, Request(scope, receive))
        response.raw_headers.append(named)
        try:
            await response(scope, receive, send)
        finally:
            count_request(path, response.status_code, perf_counter() - arrived_s)
            if span is not None:
                self._traces.end_request(span, response.status_code)

    async def _answer(self, api: Api, request: Request) -> Response:
        """Return the API's answer, or the problem that kept it from answering."""
        if request.method != "POST":
            return problem_of_status(405, allow="POST")
        if self._in_flight >= self._max_in_flight:
            return problem_of_status(429)
        self._in_flight += 1
        timer = asyncio.timeout(self._timeout_s)
        try:
            async with timer:
                return await api(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception as error:
            # What is given up may end in an error of its own on its way out.
            if timer.expired():
                return problem_of_status(504)
            if not isinstance(error, SentinelError):
                logger.exception("%s failed", request.url.path)
                return problem_of_status(500)
            if error.status >= 500:
                logger.warning("%s: %s", request.url.path, error.detail)
            return problem(error)
        finally:
            self._in_flight -= 1


def _naming(send: Send, named: tuple[bytes, bytes]) -> Send:
    """Return a `send` that puts a request's id into the head of its reply."""

    async def naming(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), named]
        await send(message)

    return naming
