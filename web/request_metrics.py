"""Count and time requests, labelled by the route's template, never by the raw path."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import bentoml

from observability.tracing import Traces

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
UNKNOWN_ROUTE = "unknown"
REQUESTS = bentoml.metrics.Counter(
    name="sentinel_requests_total",
    documentation="HTTP requests by route template and status",
    labelnames=["route", "status"],
)
LATENCY = bentoml.metrics.Histogram(
    name="sentinel_request_duration_seconds",
    documentation="Time from a request's arrival to the last byte of its reply",
    labelnames=["route"],
    buckets=BUCKETS_S,
)


class RequestMetrics:
    """Counts and times every request that the fast path does not answer (ASGI middleware).

    Args:
        app: application that it wraps.
        system_paths: paths of BentoML's own routes; any other request is labelled by the template
            of the route that it matched.
        traces: tracer of the process.
    """

    def __init__(self, app: ASGIApp, system_paths: Collection[str], traces: Traces) -> None:
        self._app = app
        self._system_paths = system_paths
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, then count it and record its span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived_s = perf_counter()
        status = 500

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        finally:
            path = scope["path"]
            matched = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            template = path if path in self._system_paths else matched
            count_request(template, status, perf_counter() - arrived_s)
            if self._traces.on and path not in self._system_paths:
                request_id = scope["origin"].request_id
                headers = scope["headers"]
                span = self._traces.begin_request(
                    scope["method"], template, headers, request_id, arrived_s
                )
                self._traces.end_request(span, status)


@cache
def _series(route: str, status: int) -> tuple[Any, Any]:
    return REQUESTS.labels(route=route, status=str(status)), LATENCY.labels(route=route)


def count_request(route: str, status: int, duration_s: float | None) -> None:
    """Count a request that was answered.

    Args:
        route: template of the route, never the raw path.
        status: HTTP status of the reply.
        duration_s: seconds from the arrival to the last byte of the reply; None: they do not count,
            as those of a refusal, which would make the decisions look faster.
    """
    counter, histogram = _series(route, status)
    counter.inc()
    if duration_s is not None:
        histogram.observe(duration_s)
