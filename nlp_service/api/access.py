"""Who may call: decided by the headers and the address alone, before anything of the body is read."""

import sqlite3
from collections.abc import Collection, Mapping

import anyio.to_thread
import structlog
from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlp_service.access.audit import Entry, pseudonym
from nlp_service.access.caller import ANYBODY, Caller
from nlp_service.access.gate import Gate, caller_of
from nlp_service.access.loopback import is_address, is_loopback
from nlp_service.api.problems import problem
from nlp_service.api.routes import Matched, find_rule, methods_of
from nlp_service.errors import NotRecorded
from nlp_service.inference.engine import TASKS
from nlp_service.observability.requests import REFUSAL
from nlp_service.storage.access_tables import ApiKey
from nlp_service.tracebacks import class_name

log = structlog.get_logger()
CHALLENGE = 'Bearer realm="nlp-service"'
NO_CREDENTIAL = "需要 API 密钥 · an API key is needed: Authorization: Bearer <key>, or X-API-Key: <key>"
WRONG_CREDENTIAL = "API 密钥无效、已过期或已吊销 · the API key is not valid: wrong, expired or revoked"
OTHER_MACHINE = (
    "开发模式只回答本机的请求;要供他人使用请设 NLP_HOST 或 NLP_ENVIRONMENT=production · "
    "in development only this machine is answered; set NLP_HOST or NLP_ENVIRONMENT=production to serve others"
)
RATE = "超出密钥每分钟 {limit:,} 次的上限 · over the limit of this key, {limit:,} requests a minute"
OTHER_ORIGIN = (
    "开发模式不接受其他网站的页面发来的请求 · in development, requests from pages of other sites are refused; "
    "NLP_CORS_ORIGINS names those that may"
)
UNREAD = "无法核对密钥,请稍后再试 · keys cannot be checked now, try again"
UNRECORDED = (
    "已完成但未能写入审计表,已记入日志 · done, but it could not be recorded in the audit table; it is in the log"
)


class Access:
    """Admits requests: a key where one is needed, its rate, its scope; records those that write."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._reading = CapacityLimiter(1)  # of those that find the keys stale, one reads them, the others wait for it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and scope["app"].state.gate.required:
            await send({"type": "websocket.close", "code": 1008})  # no address for them is in the table
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        matched = find_rule(scope["method"], scope["path"])
        if matched is not None and matched.rule.scope is None:
            await self._app(scope, receive, send)
            return
        gate: Gate = scope["app"].state.gate
        if matched is not None:
            scope["route"] = matched.rule  # for the log, should the request go no further
        admitted, headers = await self._identify(gate, scope)
        send = _with_headers(send, headers)
        if not isinstance(admitted, Caller):
            await admitted(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = admitted
        if matched is not None:
            await self._admit(gate, admitted, matched, scope, receive, send)
        else:
            known = gate.required or methods_of(scope["path"])
            await (_nowhere(scope["path"]) if known else self._app)(scope, receive, send)

    async def _identify(self, gate: Gate, scope: Scope) -> tuple[Caller | ASGIApp, Mapping[str, str]]:
        """Who asks, or the answer that refuses, and the headers that say how much more may be asked."""
        credential = _credential(Headers(scope=scope))
        if not gate.required and not (credential and gate.ring):
            refusal = _not_at_home(scope, gate.origins)
            return (ANYBODY if refusal is None else problem(403, refusal)), {}
        try:
            key = await self._find(gate, credential)
            if key is None:
                return _unauthorised(credential), {}
            allowance = gate.allowance(key)
        except (SQLAlchemyError, sqlite3.Error) as error:
            log.error("keys not checked", error=class_name(error))
            return problem(503, UNREAD, headers={"Retry-After": "2"}), {}
        if allowance.retry_after is None:
            return caller_of(key), allowance.headers
        scope[REFUSAL] = "rate"
        return problem(429, RATE.format(limit=allowance.limit)), allowance.headers

    async def _find(self, gate: Gate, credential: str) -> ApiKey | None:
        if not credential or gate.ring is None:
            return None
        if gate.ring.stale:
            await anyio.to_thread.run_sync(gate.ring.refresh, limiter=self._reading)
        return gate.ring.find(credential)

    async def _admit(
        self, gate: Gate, caller: Caller, matched: Matched, scope: Scope, receive: Receive, send: Send
    ) -> None:
        rule = matched.rule
        app = self._app
        if rule.scope is not None and not caller.may(rule.scope):
            app = _forbidden(rule.scope)
        if not rule.writes:
            await app(scope, receive, send)
            return
        with gate.audit.request(
            key_prefix=caller.prefix,
            method=rule.method,
            route=rule.path,
            resource=_resource(matched.values, gate.secret),
            status=rule.status,
            request_id=scope["state"]["request_id"],
        ) as entry:
            await app(scope, receive, _recording(gate, entry, scope, receive, send))


def _recording(gate: Gate, entry: Entry, scope: Scope, receive: Receive, send: Send) -> Send:
    """Holds an answer back until its request is recorded: one that succeeded, or that was forbidden."""
    replaced = False

    async def send_recorded(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and not entry.recorded:
            status = message["status"]
            if status < 400 or status == 403:
                try:
                    await anyio.to_thread.run_sync(gate.audit.record, entry, status)
                except NotRecorded as error:
                    log.error("not recorded", **entry.row, error=str(error))
                    replaced = True
                    await problem(503, UNRECORDED)(scope, receive, send)
        if not replaced:
            await send(message)

    return send_recorded


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers


def _credential(headers: Headers) -> str:
    """What the caller identifies with; empty when there is nothing."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()


def _resource(values: Mapping[str, str], secret: bytes) -> str | None:
    """Which record an address names: a number, a task, or a pseudonym; never what somebody wrote there instead."""
    if "customer_id" in values:
        return pseudonym(values["customer_id"], secret)
    first = next(iter(values.values()), "")
    return first if first in TASKS or (first.isascii() and first.isdigit() and len(first) < 20) else None


def _not_at_home(scope: Scope, origins: Collection[str]) -> str | None:
    """Why a request without a key is refused in development, if it is.

    Whatever the settings say, it must come in by an address of this machine; and not from a page of another site, for a
    browser sends forms and requests without a body anywhere.
    """
    host, _ = scope.get("server") or ("", None)
    if is_address(host) and not is_loopback(host):
        return OTHER_MACHINE
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is not None and origin not in origins and origin.partition("://")[2] != headers.get("host"):
        return OTHER_ORIGIN
    return None


def _unauthorised(credential: str) -> ASGIApp:
    challenge = f'{CHALLENGE}, error="invalid_token"' if credential else CHALLENGE
    detail = WRONG_CREDENTIAL if credential else NO_CREDENTIAL
    return problem(401, detail, headers={"WWW-Authenticate": challenge})


def _forbidden(needed: str) -> ASGIApp:
    detail = f"密钥没有权限范围 {needed} · the key lacks the scope {needed}"
    challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{needed}"'
    return problem(403, detail, headers={"WWW-Authenticate": challenge})


def _nowhere(path: str) -> ASGIApp:
    methods = methods_of(path)
    if methods:
        allow = {"Allow": ", ".join(methods)}
        return problem(405, "Method Not Allowed", headers=allow)
    return problem(404, "Not Found")
