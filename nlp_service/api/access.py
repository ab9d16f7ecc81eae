"""Who may call: decided by the headers and the address alone, before anything of the body is read."""

from collections.abc import Mapping

import anyio.to_thread
import structlog
from anyio import CapacityLimiter
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

log = structlog.get_logger()
CHALLENGE = 'Bearer realm="nlp-service"'
NO_CREDENTIAL = "需要 API 密钥 · an API key is needed: Authorization: Bearer <key>, or X-API-Key: <key>"
WRONG_CREDENTIAL = "API 密钥无效、已过期或已吊销 · the API key is not valid: wrong, expired or revoked"
OTHER_MACHINE = (
    "开发模式只回答本机的请求;要供他人使用请设 NLP_HOST 或 NLP_ENVIRONMENT=production · "
    "in development only this machine is answered; set NLP_HOST or NLP_ENVIRONMENT=production to serve others"
)
RATE = "超出密钥每分钟 {limit:,} 次的上限 · over the limit of this key, {limit:,} requests a minute"
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
        credential = _credential(Headers(scope=scope))
        caller = ANYBODY
        if gate.required or (credential and gate.ring):
            key = await self._find(gate, credential)
            if key is None:
                await _unauthorised(credential)(scope, receive, send)
                return
            allowance = gate.allowance(key)
            send = _with_headers(send, allowance.headers)
            if allowance.retry_after is not None:
                scope[REFUSAL] = "rate"
                await problem(429, RATE.format(limit=allowance.limit))(scope, receive, send)
                return
            caller = caller_of(key)
        elif not _on_this_machine(scope):
            await problem(403, OTHER_MACHINE)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        if matched is not None:
            await self._admit(gate, caller, matched, scope, receive, send)
        else:
            await (_nowhere(scope["path"]) if gate.required else self._app)(scope, receive, send)

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


def _on_this_machine(scope: Scope) -> bool:
    """Whether the request came in by an address of this machine alone, whatever the settings say of it."""
    host, _ = scope.get("server") or ("", None)
    return not is_address(host) or is_loopback(host)


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
