"""Traces with OpenTelemetry: one span a request, and the spans of the batch that decides it.

OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ form) switches traces on; OpenTelemetry's other
standard variables configure the exporter, the sampler and the resource. When traces are off, a
request and a batch read `Traces.on` once each, and neither SDK nor exporter is imported.

A batch belongs to many requests, but a span has one parent: the batch's span is the child of the
first sampled request and is linked to the other sampled requests.
https://opentelemetry.io/docs/specs/otel/overview/#links-between-spans
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from observability.batch_stages import BatchTimes

NAME = "sentinel"
MAX_LINKS = 256
"""The largest number of requests in a batch."""
LAST_SPANS_S = 3.0
"""Seconds that a stop waits for the last spans to be sent; the collector may be unreachable."""

_W3C = TraceContextTextMapPropagator()


class Traces:
    """The tracer of a process.

    Attributes:
        on: whether traces are on; only then may a method other than `start` be called.
    """

    def __init__(self) -> None:
        self.on = False
        self._tracer: trace.Tracer = trace.NoOpTracer()

    def begin_request(
        self,
        method: str,
        route: str,
        headers: Iterable[tuple[bytes, bytes]],
        request_id: str,
        arrived_s: float,
    ) -> Span:
        """Begin the span of a request, a child of the span in its `traceparent` header, if any.

        Args:
            method: HTTP method of the request.
            route: template of the route.
            headers: headers of the ASGI scope.
            request_id: id of the request, as in the log.
            arrived_s: `perf_counter()` at the arrival of the request.
        """
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name in {b"traceparent", b"tracestate"}
        }
        return self._tracer.start_span(
            f"{method} {route}",
            context=_W3C.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "http.route": route,
                "sentinel.request_id": request_id,
            },
            start_time=_wall_offset_ns() + int(arrived_s * 1e9),
        )

    def end_request(self, span: Span, status: int) -> None:
        """End the span of a request.

        Args:
            span: span of the request.
            status: HTTP status of the reply.
        """
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        span.end()

    def record_batch(self, times: BatchTimes, requests: Sequence[Span]) -> None:
        """Record the spans of a batch and its stages, unless no request is sampled.

        Args:
            times: measured stages of the batch.
            requests: spans of its requests.
        """
        contexts = [span.get_span_context() for span in requests]
        sampled = [context for context in contexts if context.trace_flags.sampled]
        if not sampled:
            return
        offset_ns = _wall_offset_ns()

        def at(moment_s: float) -> int:
            return offset_ns + int(moment_s * 1e9)

        first, *others = sampled
        batch = self._tracer.start_span(
            f"batch {times.api}",
            context=trace.set_span_in_context(trace.NonRecordingSpan(first)),
            links=[trace.Link(other) for other in others],
            attributes={"sentinel.rows": times.rows, "sentinel.requests": len(requests)},
            start_time=at(times.laps[0][1]),
        )
        batch_context = trace.set_span_in_context(batch)
        for stage, began_s, ended_s in times.laps:
            span = self._tracer.start_span(stage, context=batch_context, start_time=at(began_s))
            span.end(at(ended_s))
        batch.end(at(times.laps[-1][2]))

    def start(self, version: str) -> Callable[[], None]:
        """Start to send spans to the collector; return the function that stops it.

        Args:
            version: version of this release.
        """
        # These imports take half a second and 20 MB.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": NAME, "service.version": version})
        provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()),
            span_limits=SpanLimits(max_links=MAX_LINKS),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = provider.get_tracer(NAME, version)
        self.on = True
        return lambda: self._stop(provider)

    def _stop(self, provider: TracerProvider) -> None:
        self.on = False
        shutdown = Thread(target=provider.shutdown, name="last-spans", daemon=True)
        shutdown.start()
        shutdown.join(LAST_SPANS_S)


def _wall_offset_ns() -> int:
    """Return the nanoseconds to add to `perf_counter()` for the wall-clock time of a span."""
    return time.time_ns() - int(perf_counter() * 1e9)
