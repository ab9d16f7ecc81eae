"""Every error as `application/problem+json` (RFC 9457), in one place.

What the caller sent is never echoed: it may hold personal data, or characters that JSON cannot carry.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError  # noqa: A004 - the pool has no other name for it
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nlp_service.errors import Conflict, Forbidden, InvalidText, NotFound, NotRecorded, Overloaded
from nlp_service.observability.database import POOL_EXHAUSTED
from nlp_service.observability.metrics import DATABASE_ERRORS
from nlp_service.observability.requests import REFUSAL
from nlp_service.storage.faults import Fault, fault_of
from nlp_service.wording import message_of, printable

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()

TITLES = {
    400: "请求无法解析 · malformed request",
    401: "未认证 · unauthorised",
    403: "不允许 · forbidden",
    404: "未找到 · not found",
    405: "方法不允许 · method not allowed",
    408: "请求超时 · request timeout",
    409: "冲突 · conflict",
    413: "请求体过大 · request body too large",
    415: "内容类型不支持 · unsupported content type",
    422: "请求内容不合规 · invalid request",
    429: "请求过多 · too many requests",
    431: "请求头过大 · request headers too large",
    500: "服务内部错误 · internal error",
    503: "暂不可用 · not available now",
}


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document; `errors` names each wrong field."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "错误 · error"),
        "status": status,
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as HTTP/1.1 has them."""
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


def below_status(answer: Response) -> bytes:
    """All of an answer in HTTP/1.1 but its first line."""
    return header_lines(answer.raw_headers) + b"\r\n" + bytes(answer.body)


def faulty(fault: Fault) -> JSONResponse:
    """The answer while something is wrong with the database."""
    return problem(503, fault.message, headers={"Retry-After": str(fault.retry_after)})


def install(app: FastAPI) -> None:
    """Translate every exception that a request can raise."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(InvalidText, _invalid_text)
    app.add_exception_handler(Forbidden, lambda _, error: problem(403, str(error)))
    app.add_exception_handler(NotFound, lambda _, error: problem(404, str(error)))
    app.add_exception_handler(Conflict, lambda _, error: problem(409, str(error)))
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_exception_handler(NotRecorded, _not_recorded)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(TimeoutError, _database)


def describe(error: Mapping[str, Any]) -> dict[str, str]:
    """Field and message of one pydantic error, in words."""
    place = ".".join(printable(part) for part in error["loc"] if part != "body")
    return {"field": place or "body", "message": message_of(error)}


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return problem(400, "请求体不是有效的 JSON · the body is not valid JSON")
    described = [describe(item) for item in errors[:20]]
    first = described[0]
    return problem(422, f"{first['field']}: {first['message']}", errors=described)


async def _invalid_text(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InvalidText)  # noqa: S101
    return problem(422, f"{error.field}: {error}", errors=[{"field": error.field, "message": str(error)}])


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    return problem(error.status_code, str(error.detail), headers=error.headers)


async def _database(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SQLAlchemyError)  # noqa: S101
    if isinstance(error, TimeoutError):
        DATABASE_ERRORS.labels(POOL_EXHAUSTED).inc()
    fault = fault_of(error)
    if fault is None:
        raise error
    log.warning("database", fault=fault.name, error=type(error).__name__)
    return faulty(fault)


async def _not_recorded(_: Request, error: Exception) -> JSONResponse:
    log.error("write undone: not recorded", error=str(error))
    detail = "未写入:无法写入审计表 · nothing was written, since it could not be recorded in the audit table"
    return problem(503, detail, headers={"Retry-After": "2"})


async def _overloaded(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Overloaded)  # noqa: S101
    request.scope[REFUSAL] = error.reason
    return problem(429, str(error), headers={"Retry-After": str(error.retry_after)})
