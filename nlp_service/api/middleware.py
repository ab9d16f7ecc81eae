"""Around every request: its id, its size limit, its content type, one log line, one observation."""

from collections.abc import Iterable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlp_service.api.gone import CLIENT_CLOSED_REQUEST
from nlp_service.api.problems import problem
from nlp_service.api.request_id import request_id_of
from nlp_service.observability.requests import observe_request
from nlp_service.tracebacks import class_name

log = structlog.get_logger()
JSON, FORM = "application/json", "multipart/form-data"
PLAIN = "identity"


class RequestContext:
    """Gives every answer `X-Request-ID` (the caller's when it is harmless), counts and logs it. Never logs a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id), observe_request(scope, request_id) as seen:

            async def send_with_id(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seen.status = message["status"]
                    MutableHeaders(scope=message)["X-Request-ID"] = request_id
                await send(message)

            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                seen.error = class_name(error)
                log.exception("unexpected", error=seen.error)
                if seen.status is not None:
                    raise
                detail = "服务内部错误,已记录 · an unexpected error was logged; quote X-Request-ID"
                await problem(500, detail)(scope, receive, send_with_id)


class BodyLimits:
    """Refuses bodies that are too large, also when they come without a length, and content types nobody reads."""

    def __init__(self, app: ASGIApp, max_bytes: int, uploads: Iterable[str]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._uploads = frozenset(uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = {JSON, FORM} if scope["path"] in self._uploads else {JSON}
        if headers.get("content-encoding", PLAIN).strip().lower() != PLAIN:
            detail = "请求体不得压缩 · the body must not be compressed: no Content-Encoding"
            await problem(415, detail, headers={"Accept-Encoding": PLAIN})(scope, receive, send)
            return
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_bytes:
            await self._too_large()(scope, receive, send)
            return
        try:
            body = await self._read(receive)
        except ClientDisconnect:  # half of a request must not be taken for a whole one
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
            return
        if body is None:
            await self._too_large()(scope, receive, send)
            return
        given = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and given not in allowed:
            detail = f"Content-Type 须为 {' / '.join(sorted(allowed))} · must be {' or '.join(sorted(allowed))}"
            await problem(415, detail)(scope, receive, send)
            return
        if given == JSON and not _is_utf8(body):
            await problem(400, "请求体不是 UTF-8 编码的 JSON · the body is not JSON in UTF-8")(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> ASGIApp:
        return problem(
            413,
            f"请求体最多 {self._max_bytes:,} 字节 · the body may have at most {self._max_bytes:,} bytes",
            headers={"Connection": "close"},
        )


def _is_utf8(body: bytes) -> bool:
    """UTF-8 without NUL bytes, which only JSON in UTF-16 or UTF-32 has."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x00" not in body


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
