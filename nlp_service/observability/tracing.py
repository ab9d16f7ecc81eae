"""Spans of requests, by OpenTelemetry; none without OTEL_EXPORTER_OTLP_ENDPOINT.

Spans hold names, counts and times, never a text, an address or the message of an exception. A caller's `traceparent`
(W3C Trace Context) is continued; its `tracestate` and baggage, which may hold anything, are not. Sampling, headers and
limits are set by OpenTelemetry's usual variables.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, WrappedLogger

from nlp_service import __version__
from nlp_service.tracebacks import class_name

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
NATIVE_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Of FastAPI, whose own spans hold whole addresses, and whose log records hold messages of exceptions."""
FLUSH_MS = 2000
log = structlog.get_logger()
_tracer = trace.get_tracer("nlp_service", __version__)
_propagator = TraceContextTextMapPropagator()
Value = str | int | float | bool


def start_tracing() -> None:
    """Export spans where the environment says where to, unless that was done before in this process."""
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        log.error("no traces: pip install 'nlp-service[tracing]'")
        return
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "nlp-service"}
    provider = TracerProvider(resource=Resource.create({**named, "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def flush_tracing() -> None:
    """Send what has not been sent; a worker process ends without a further chance."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(FLUSH_MS)


def wanted() -> bool:
    """Whether spans go anywhere, or one of a caller is current."""
    provided = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    return provided or trace.get_current_span() is not INVALID_SPAN


def continued(traceparent: str) -> Context:
    """The context of a caller's span; an empty one where the header is missing or malformed."""
    return _propagator.extract({"traceparent": traceparent}, Context())


@contextmanager
def span(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: Context | None = None, **attributes: Value
) -> Iterator[Span]:
    """What is done inside; an exception is noted by its class. Costs next to nothing where nobody wants spans."""
    if parent is None and not wanted():
        yield INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        name, context=parent, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as started:
        try:
            yield started
        except Exception as error:
            started.set_attribute("error.type", class_name(error))
            started.set_status(StatusCode.ERROR)
            raise


def past_span(name: str, seconds: float, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: Value) -> None:
    """A span that ends now, in the current one; nothing where that is not recorded."""
    if trace.get_current_span().is_recording():
        end = time.time_ns()
        _tracer.start_span(name, kind=kind, attributes=attributes, start_time=end - round(seconds * 1e9)).end(end)


def add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor of structlog: which trace a line belongs to, also where the caller alone records it."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
