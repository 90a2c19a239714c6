"""The fast path: answers the scoring routes in front of the framework's router and middlewares.

BentoML's contexts, spans, time-out, concurrency limit and routing, each with its own `send`
wrapper, take half of the CPU of a /score (docs/performance.md). So this middleware finds the API by
its exact path and applies the same limits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from observability.request_id import HEADER, Origin, request_id
from observability.tracing import Traces
from scoring.errors import RateLimited, SentinelError
from serving.admission import OVERLOAD, RATE, Admission, Place
from serving.rate_limits import RateLimits
from web.headers import caller
from web.problems import problem_response
from web.request_body import RequestBody
from web.request_metrics import count_request
from web.security_headers import SECURITY_HEADERS, missing_headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("sentinel.api")

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that disconnected. No client receives it; in the metrics it
distinguishes a disconnect from an error of the service."""

SINGLE = "/score"
"""Path whose requests hold one payment each, so that their latencies are alike."""

Api = Callable[[Request], Awaitable[Response]]


class FastPath:
    """Answers POST to the APIs' paths and passes every other path on (ASGI middleware).

    Args:
        app: application that answers every other path.
        apis: API of each path (`/score`: `Sentinel.score`); start-up fills the mapping after this.
        traces: tracer of the process.
        timeout_s: seconds after which a request is cancelled (504).
        admission: limit of the requests to these paths that run at a time; one more is refused
            (429), here unless the protocol of the connection has done so
            (`app/connections/protocol.py`).
        rates: limits of payments a second, by which the tenants of callers are known.
    """

    def __init__(
        self,
        app: ASGIApp,
        apis: Mapping[str, Api],
        traces: Traces,
        timeout_s: float,
        admission: Admission,
        rates: RateLimits,
    ) -> None:
        self._app = app
        self._apis = apis
        self._traces = traces
        self._timeout_s = timeout_s
        self._admission = admission
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to an API's path, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived_s = perf_counter()
        path, method = scope["path"], scope["method"]
        identifier = request_id(scope["headers"])
        id_header = (HEADER, identifier.encode())
        api = self._apis.get(path)
        body = RequestBody(scope, receive, send)
        if api is None:
            scope["origin"] = Origin(identifier)
            await self._app(scope, body.receive, _with_headers(body.send, id_header))
            await body.finish()
            return
        span = None
        if self._traces.on:
            span = self._traces.begin_request(method, path, scope["headers"], identifier, arrived_s)
        scope["origin"] = Origin(identifier, span)
        response = await self._answer(api, Request(scope, body.receive), arrived_s)
        response.raw_headers += (id_header, *SECURITY_HEADERS)
        try:
            await response(scope, receive, send if body.is_received else body.send)
        finally:
            is_refusal = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
            took_s = None if is_refusal else perf_counter() - arrived_s
            count_request(path, response.status_code, took_s)
            if span is not None:
                self._traces.end_request(span, response.status_code)
        await body.finish()

    async def _answer(self, api: Api, request: Request, arrived_s: float) -> Response:
        """Return the API's response, or the problem that describes its error."""
        if request.method != "POST":
            return problem_response(HTTPException(405, headers={"Allow": "POST"}))
        place: Place | None = request.scope.get("place")
        if place is None:
            fingerprint = caller(request)
            if reached := self._rates.reached(fingerprint):
                self._admission.refused[RATE] += 1
                return problem_response(reached.error())
            tenant_id = self._rates.tenant_id(fingerprint)
            if not self._admission.enter(tenant_id):
                self._admission.refused[OVERLOAD] += 1
                response = problem_response(HTTPException(429))
                response.headers["Retry-After"] = str(self._admission.retry_after_s)
                return response
            place = Place(self._admission, tenant_id)
        timer = asyncio.timeout(self._timeout_s)
        # Only decisions set the limit: errors are faster, or as slow as what has failed.
        decided_since_s = None
        try:
            async with timer:
                response = await api(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception as error:
            # A cancelled API may raise another error while it unwinds.
            if timer.expired():
                return problem_response(HTTPException(504))
            if not isinstance(error, SentinelError):
                logger.exception("%s failed", request.url.path)
            elif error.status >= 500:
                logger.warning("%s: %s", request.url.path, error)
            elif error.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._admission.refused[RATE if isinstance(error, RateLimited) else OVERLOAD] += 1
            return problem_response(error)
        else:
            if response.status_code == 200 and request.scope["path"] == SINGLE:
                decided_since_s = arrived_s
            return response
        finally:
            place.leave(decided_since_s)


def _with_headers(send: Send, id_header: tuple[bytes, bytes]) -> Send:
    """Return a `send` that adds the request's id and the security headers to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            message["headers"] = [*headers, id_header, *missing_headers(headers)]
        await send(message)

    return send_with_headers
