"""Spans go to the configured OpenTelemetry collector; without one, none are made."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from observability.tracing import LAST_SPANS_S, Traces
from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.tenants import create_tenant
from tests.support.factories import a_body
from tests.support.load import score_request, send
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET, Service, publisher, serving

STAGES = {"batch_wait", "features", "score_explain", "decide", "store"}


@dataclass
class Collector:
    """What an OpenTelemetry collector was sent over HTTP."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)

    def take(self, body: bytes) -> None:
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = {a.key: a.value.string_value for a in each.resource.attributes}
            self.spans += [span for scope in each.scope_spans for span in scope.spans]

    def trace(self, trace_id: str) -> dict[str, Span]:
        """Return a trace's spans by name."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace_id}

    def wait_for(self, seen: Callable[[], object], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < deadline, [span.name for span in self.spans]
            time.sleep(0.05)


def attributes(span: Span) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """An HTTP server that takes spans."""
    got = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            got.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield got
    server.shutdown()


@pytest.fixture(scope="module")
def traced(
    collector: Collector,
    make_database: Callable[..., str],
    migrated_template: str,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[tuple[Service, str]]:
    """A service that sends its spans to the collector, and a key of its tenant."""
    home = tmp_path_factory.mktemp("traced")
    database = make_database(template=migrated_template)
    engine = open_database(database)
    tenant = create_tenant(engine, "demo", "fraud-traced")
    publisher(mlflow_server, home)("fraud-traced")
    key = issue_key(engine, tenant.id, ("score", "review"), KEY_SECRET)
    engine.dispose()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with serving(database, mlflow_server, home, free_port(), **environment) as service:
        service.wait_until_ready()
        yield service, key


def caller(sampled: bool = True) -> tuple[str, str]:
    """Return a trace id and the header of a caller who traces."""
    trace_id = uuid4().hex
    return trace_id, f"00-{trace_id}-00f067aa0ba902b7-0{int(sampled)}"


def test_a_payment_is_traced_from_its_caller_to_the_store(
    traced: tuple[Service, str], collector: Collector
) -> None:
    service, key = traced
    trace_id, header = caller()
    headers = {"traceparent": header, "X-Request-ID": "till-7"}
    assert service.post("/score", a_body(), key, headers=headers).is_success
    wanted = {"POST /score", "batch score", *STAGES}
    collector.wait_for(lambda: wanted <= collector.trace(trace_id).keys())
    spans = collector.trace(trace_id)
    assert spans.keys() == wanted
    asked, batch = spans["POST /score"], spans["batch score"]
    assert asked.parent_span_id.hex() == "00f067aa0ba902b7"
    assert attributes(asked) == {
        "http.request.method": "POST",
        "http.route": "/score",
        "http.response.status_code": 200,
        "sentinel.request_id": "till-7",
    }
    assert batch.parent_span_id == asked.span_id
    assert attributes(batch) == {"sentinel.rows": 1, "sentinel.requests": 1}
    for stage in STAGES:
        assert spans[stage].parent_span_id == batch.span_id
        assert batch.start_time_unix_nano <= spans[stage].start_time_unix_nano
        assert spans[stage].end_time_unix_nano <= batch.end_time_unix_nano
    assert asked.start_time_unix_nano <= batch.start_time_unix_nano
    assert batch.end_time_unix_nano <= asked.end_time_unix_nano
    assert collector.resource["service.name"] == "sentinel"
    assert collector.resource["deployment.environment.name"] == "tests"


def test_every_payment_under_load_has_exactly_one_batch_its_own_or_one_that_links_it(
    traced: tuple[Service, str], collector: Collector
) -> None:
    service, key = traced
    collector.spans.clear()
    count = 200
    requests = [score_request(a_body(nameOrig=f"C{10_000_000 + i}"), key) for i in range(count)]
    assert set(send(service.url, requests, clients=32)) == {200}

    def named(name: str) -> list[Span]:
        return [span for span in list(collector.spans) if span.name == name]

    def joined() -> list[bytes]:
        batches = named("batch score")
        linked = [link.span_id for batch in batches for link in batch.links]
        return [*linked, *(batch.parent_span_id for batch in batches)]

    collector.wait_for(lambda: len(named("POST /score")) == len(joined()) == count)
    assert sorted(joined()) == sorted(span.span_id for span in named("POST /score"))
    assert len(named("batch score")) < count


def test_an_analysts_request_is_traced_by_its_routes_template_and_probes_are_not(
    traced: tuple[Service, str], collector: Collector
) -> None:
    service, key = traced
    trace_id, header = caller()
    own = {"Authorization": f"Bearer {key}", "traceparent": header}
    for path in ("/livez", "/readyz", "/metrics", f"/transactions/{uuid4()}"):
        service.client.get(path, headers=own)
    collector.wait_for(lambda: collector.trace(trace_id))
    time.sleep(0.5)
    assert collector.trace(trace_id).keys() == {"GET /transactions/{id}"}


def test_a_request_that_its_caller_does_not_sample_is_not_exported(
    traced: tuple[Service, str], collector: Collector
) -> None:
    service, key = traced
    (unsampled, no), (sampled, yes) = caller(sampled=False), caller()
    for header in (no, yes):
        headers = {"traceparent": header}
        assert service.post("/score", a_body(), key, headers=headers).is_success
    collector.wait_for(lambda: "POST /score" in collector.trace(sampled))
    assert not collector.trace(unsampled)


def test_an_unreachable_collector_does_not_delay_the_shutdown(
    monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    traces = Traces()
    stop = traces.start("0")
    traces.end_request(traces.begin_request("POST", "/score", [], "id", time.perf_counter()), 200)
    began = time.monotonic()
    stop()
    assert time.monotonic() - began < LAST_SPANS_S + 1
    assert not traces.on


def test_without_a_collector_the_exporter_is_not_imported() -> None:
    program = (
        "import sys, serving.fast_path, serving.batching.batch_scorer\n"
        "from observability.tracing import Traces\n"
        "assert not Traces().on\n"
        "assert 'opentelemetry.exporter.otlp.proto' not in sys.modules\n"
        "assert 'requests' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
