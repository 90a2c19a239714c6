"""Traces over OpenTelemetry: a span a request, and spans of the batch that decided it.

Switched on by OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ form); the exporter, the sampler and the
resource take OpenTelemetry's other standard variables. Switched off, a request and a batch read
`Traces.on` once each, and neither SDK nor exporter is imported.

A batch belongs to many requests, and a span has one parent: it is the child of the first of them
that is sampled, and is linked to the other sampled ones.
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
"""As many as a batch has requests."""
LAST_SPANS_S = 3.0
"""At the end, how long is spent on sending what waits: a collector may be away."""

_W3C = TraceContextTextMapPropagator()


class Traces:
    """The spans of this process.

    Attributes:
        on: whether any are wanted; nothing else may be called where they are not.
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
        """Begin the span of a request, a child of the caller's where it sends a `traceparent`.

        Args:
            method: of HTTP.
            route: the template.
            headers: of the ASGI scope.
            request_id: as in the log.
            arrived_s: `perf_counter()` when it arrived.
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
        """End the span of a request that was answered with a status."""
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        span.end()

    def record_batch(self, times: BatchTimes, requests: Sequence[Span]) -> None:
        """Record a batch that has ended, and its stages; nothing where no request is sampled.

        Args:
            times: what it did when.
            requests: the spans of its requests.
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
        inside = trace.set_span_in_context(batch)
        for stage, began_s, ended_s in times.laps:
            span = self._tracer.start_span(stage, context=inside, start_time=at(began_s))
            span.end(at(ended_s))
        batch.end(at(times.laps[-1][2]))

    def start(self, version: str) -> Callable[[], None]:
        """Begin to send spans to the collector; returns what ends it.

        Args:
            version: of this release.
        """
        # Half a second and 20 MB that only those pay who trace.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        ours = Resource.create({"service.name": NAME, "service.version": version})
        provider = TracerProvider(
            resource=ours.merge(OTELResourceDetector().detect()),
            span_limits=SpanLimits(max_links=MAX_LINKS),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = provider.get_tracer(NAME, version)
        self.on = True
        return lambda: self._stop(provider)

    def _stop(self, provider: TracerProvider) -> None:
        self.on = False
        sending = Thread(target=provider.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(LAST_SPANS_S)


def _wall_offset_ns() -> int:
    """Return what makes `perf_counter()` in nanoseconds the wall-clock time that spans carry."""
    return time.time_ns() - int(perf_counter() * 1e9)
