"""Spans are sent to where the environment says, and nothing is loaded or sent where it says nothing."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import PROJECT

TRACE = """
import sys
from nlp_service.observability.tracing import flush_tracing, past_span, span, start_tracing

{before}
start_tracing()
start_tracing()
with span("request"):
    past_span("queue", 0.5)
flush_tracing()
print("loaded:", "opentelemetry.sdk.trace" in sys.modules)
"""
WITHOUT_EXTRA = "sys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None"


class Collector(HTTPServer):
    """Takes spans on loopback."""

    def __init__(self) -> None:
        self.received: list[ExportTraceServiceRequest] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as started:
        thread = threading.Thread(target=started.serve_forever)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def _trace(before: str = "", **environment: str) -> str:
    """What a process printed that traced something."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", TRACE.format(before=before)],
        env=own | {"NO_PROXY": "127.0.0.1"} | environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def _names(collector: Collector) -> list[str]:
    resources = (resource for request in collector.received for resource in request.resource_spans)
    return sorted(span.name for resource in resources for scope in resource.scope_spans for span in scope.spans)


def _service(collector: Collector) -> str:
    attributes = collector.received[0].resource_spans[0].resource.attributes
    return next(str(one.value.string_value) for one in attributes if one.key == "service.name")


def test_spans_are_sent_once_each(collector: Collector) -> None:
    _trace(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert _names(collector) == ["queue", "request"]


def test_an_endpoint_for_traces_alone_is_enough(collector: Collector) -> None:
    _trace(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces")
    assert _names(collector) == ["queue", "request"]


@pytest.mark.parametrize(("given", "name"), [({}, "nlp-service"), ({"OTEL_SERVICE_NAME": "desk"}, "desk")])
def test_the_service_has_a_name(collector: Collector, given: dict[str, str], name: str) -> None:
    _trace(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **given)
    assert _service(collector) == name


def test_sampling_is_set_by_the_usual_variable(collector: Collector) -> None:
    _trace(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_SAMPLER="parentbased_always_off")
    assert collector.received == []


def test_tracing_can_be_switched_off(collector: Collector) -> None:
    _trace(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SDK_DISABLED="true")
    assert collector.received == []


def test_without_an_endpoint_nothing_is_loaded() -> None:
    assert _trace().strip() == "loaded: False"


def test_without_the_extra_the_service_says_what_is_missing(collector: Collector) -> None:
    told = _trace(WITHOUT_EXTRA, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert "pip install 'nlp-service[tracing]'" in told
