"""Traces: a span for each step of a request, without anything that the request holds."""

import json
from collections.abc import Iterator, Sequence

import pytest
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext

from nlp_service.app import create_app
from nlp_service.inference.batching import Batcher
from nlp_service.inference.engine import Engine
from nlp_service.observability.encoder import EncoderObserver
from nlp_service.observability.requests import observe_request
from nlp_service.settings import Settings
from tests.observability.requests import TEXT, TRACES, Fill, calls

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=canary7q4", "baggage": "who=canary7q4"}
TICKET = {"tickets": [{"text": "导出报表一直超时"}]}


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """Where spans go in this process from now on; afterwards it keeps none."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    yield kept
    kept.shutdown()


@pytest.fixture(scope="module")
def observed(engine: Engine) -> Iterator[Engine]:
    """The engine with encoders that tell what they do."""
    batchers = {
        fingerprint: Batcher(batcher.encoder, observer=EncoderObserver(batcher.encoder.bundle.name))
        for fingerprint, batcher in engine.batchers.items()
    }
    yield Engine(batchers[engine.search_model.fingerprint], batchers, engine.heads)
    for batcher in batchers.values():
        batcher.close()


@pytest.fixture(scope="module")
def traced(
    tmp_path_factory: pytest.TempPathFactory, observed: Engine, exporter: InMemorySpanExporter
) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    app = create_app(Settings(home=home), observed)
    app.add_api_route("/failing", _fail)
    with TestClient(app) as started:
        started.post("/v1/knowledge", json={"title": "超时", "problem": "导出超时", "solution": "分批导出"})
        yield started
    exporter.clear()


@pytest.fixture(autouse=True)
def _nothing_yet(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    assert traced.get("/livez").status_code == 200
    exporter.clear()


def _fail() -> None:
    raise ValueError(TEXT)


def _named(spans: Sequence[ReadableSpan], name: str) -> ReadableSpan:
    return next(span for span in spans if span.name == name)


def test_a_request_is_named_by_its_route(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    traced.get("/v1/knowledge/1", headers={"X-Request-ID": "T-1"})
    assert dict(_named(exporter.get_finished_spans(), "GET /v1/knowledge/{article_id}").attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/v1/knowledge/{article_id}",
        "http.response.status_code": 200,
        "nlp.request_id": "T-1",
    }


@pytest.mark.parametrize(
    ("path", "body", "steps"),
    [
        ("/v1/classify", TICKET, {"tokenise", "queue", "infer"}),
        ("/v1/search", {"query": "导出超时"}, {"tokenise", "queue", "infer", "search"}),
        ("/v1/feedback", {"items": [{"kind": "ticket", "text": "导出超时"}]}, {"infer", "database"}),
    ],
)
def test_each_step_of_a_request_is_a_span_below_it(
    traced: TestClient, exporter: InMemorySpanExporter, path: str, body: object, steps: set[str]
) -> None:
    traced.post(path, json=body)
    spans = exporter.get_finished_spans()
    root = _named(spans, f"POST {path}").context
    below = {span.name for span in spans if root and span.parent and span.parent.span_id == root.span_id}
    assert steps <= below


def test_the_database_is_asked_below_the_search(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    traced.post("/v1/search", json={"query": "导出超时"})
    spans = exporter.get_finished_spans()
    search = _named(spans, "search").context
    asked = [span for span in spans if search and span.parent and span.parent.span_id == search.span_id]
    assert {span.name for span in asked} == {"database"}
    assert all((span.attributes or {})["statements"] for span in asked)


def test_steps_lie_within_their_request(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    traced.post("/v1/classify", json=TICKET)
    spans = exporter.get_finished_spans()
    root = _named(spans, "POST /v1/classify")
    for name in ("tokenise", "queue", "infer"):
        step = _named(spans, name)
        assert (root.start_time or 0) <= (step.start_time or 0) <= (step.end_time or 0) <= (root.end_time or 0)


def test_the_trace_of_the_caller_goes_on(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    traced.post("/v1/classify", json=TICKET, headers=CALLER)
    spans = exporter.get_finished_spans()
    root = _named(spans, "POST /v1/classify")
    assert {trace.format_trace_id(span.context.trace_id) for span in spans if span.context} == {TRACE}
    assert root.parent is not None
    assert trace.format_span_id(root.parent.span_id) == PARENT


def test_a_malformed_trace_of_the_caller_begins_a_new_one(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    traced.post("/v1/classify", json=TICKET, headers={"traceparent": f"00-{TEXT.encode()!r}-01"})
    assert _named(exporter.get_finished_spans(), "POST /v1/classify").parent is None


def test_an_unexpected_error_is_noted_by_its_class(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    traced.get("/failing")
    span = _named(exporter.get_finished_spans(), "GET /failing")
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, None)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_what_is_asked_every_few_seconds_makes_no_span(
    traced: TestClient, exporter: InMemorySpanExporter, path: str
) -> None:
    traced.get(path)
    assert [span for span in exporter.get_finished_spans() if span.name != "database"] == []


def test_the_trace_is_named_in_the_logs(
    settings: Settings, observed: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    app = create_app(settings.model_copy(update={"log_format": "json"}), observed)
    with TestClient(app) as client:
        client.post("/v1/classify", json=TICKET, headers=CALLER)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["trace_id"] for line in lines if line["event"] == "request"] == [TRACE]


@pytest.mark.parametrize("fill", ["needed", "all", "wrong"])
def test_no_span_holds_what_a_request_holds(traced: TestClient, exporter: InMemorySpanExporter, fill: Fill) -> None:
    for call in calls(traced.get("/openapi.json").json(), fill):
        traced.request(call.method, call.path, params=call.query, json=call.body, headers=CALLER)
    traced.get("/failing")
    traced.get(f"/{TEXT}", params={"q": TEXT})
    spans = exporter.get_finished_spans()
    assert len(spans) > len(TRACES)
    exported = "".join(span.to_json() for span in spans)
    assert {trace for trace in TRACES if trace in exported or ascii(trace).strip("'") in exported} == set()


def test_a_request_without_a_trace_is_not_of_that_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    before = SpanContext(int(TRACE, 16), int(PARENT, 16), is_remote=True)
    scope = {"type": "http", "method": "POST", "path": "/v1/classify", "headers": []}
    with trace.use_span(NonRecordingSpan(before)), observe_request(scope, "T-1"):
        assert trace.get_current_span().get_span_context().trace_id != before.trace_id
