"""One observation, one log line and one span for each request."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import structlog
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.types import Scope

from nlp_service.errors import Refusal
from nlp_service.observability.metrics import IN_PROGRESS, REFUSED, REQUEST_SECONDS, REQUESTS
from nlp_service.observability.tracing import continued, span, wanted

log = structlog.get_logger()
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
QUIET = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds: counted, but neither logged nor traced."""
REFUSAL = "nlp.refusal"
"""Entry of an ASGI scope: why the request was refused for now."""


@dataclass
class Seen:
    """What became of a request."""

    status: int | None = None
    """None until the answer has begun."""
    error: str | None = None
    """Class of an unexpected exception."""


@contextmanager
def observe_request(scope: Scope, request_id: str) -> Iterator[Seen]:
    """Observe what is done inside as one request."""
    seen, started = Seen(), time.perf_counter()
    with _server_span(scope, request_id) as current:
        IN_PROGRESS.inc()
        try:
            yield seen
        finally:
            IN_PROGRESS.dec()
            _tell(scope, seen, time.perf_counter() - started, current)


def count_refusal(method: str, route: str, reason: Refusal) -> None:
    """Count a request that was answered with 429 before it was looked at; it is neither logged nor traced."""
    for counter in _counters_of_refusals(method, route, reason):
        counter.inc()


@lru_cache(maxsize=64)
def _counters_of_refusals(method: str, route: str, reason: Refusal) -> tuple[Counter, Counter]:
    """To be found at once: under overload this is a tenth of a refusal."""
    return REQUESTS.labels(method, route, 429), REFUSED.labels(reason)


@contextmanager
def _server_span(scope: Scope, request_id: str) -> Iterator[Span]:
    if scope["path"] in QUIET:
        yield INVALID_SPAN
        return
    given = Headers(scope=scope).get("traceparent", "")
    parent = continued(given) if given or wanted() else None
    with span("request", kind=SpanKind.SERVER, parent=parent, **{"nlp.request_id": request_id}) as started:
        yield started


def _tell(scope: Scope, seen: Seen, seconds: float, current: Span) -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    route = getattr(scope.get("route"), "path", "other" if "endpoint" in scope else "unmatched")
    status = seen.status or 500
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    if status == 429:
        REFUSED.labels(scope.get(REFUSAL, "other")).inc()
    if scope["path"] not in QUIET:
        log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
    current.update_name(f"{method} {route}")
    current.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if seen.error is not None:
        current.set_attribute("error.type", seen.error)
    if status >= 500:
        current.set_status(StatusCode.ERROR)
