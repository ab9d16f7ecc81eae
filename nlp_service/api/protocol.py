"""HTTP/1.1 of uvicorn with limits that it lacks: how long a request may take to arrive, and an answer to be taken.

And with a door: under overload requests are refused here, before they become the application's.
"""

import asyncio
import uuid

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from nlp_service.api.door import MAX_BODY, Door
from nlp_service.api.problems import below_status, header_lines, problem
from nlp_service.errors import Overloaded

TOO_SLOW = "请求未在时限内到齐 · the request did not arrive in time: {head:g} s for its head, {body:g} s for all of it"
TOO_LARGE_HEAD = "请求行与请求头最多 {limit:,} 字节 · request line and headers may have at most {limit:,} bytes"
CLOSE = (b"connection", b"close")
DOOR = "door"
"""Key of what the application's start yields as its state."""
MALFORMED = "不是有效的 HTTP 请求 · not a valid HTTP request"


class BoundedHttp(HttpToolsProtocol):
    """One connection. A slow one costs some kilobytes for some seconds, and nobody else waits for it."""

    head_seconds = 10.0
    """From the connection, or the first byte of a further request, to the end of the headers."""
    body_seconds = 20.0
    """From the same moment to the end of the body, and a second more for each `body_bytes_per_second` that came."""
    body_bytes_per_second = 10_000
    answer_seconds = 60.0
    """A caller that reads must take 48 KiB of a waiting answer meanwhile."""
    max_head_bytes = 65_536
    """Headers, or what surrounds the parts of a body; what the socket gives at once, 256 KiB, may be more."""

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _leaving: asyncio.TimerHandle | None = None
    _arriving = False
    """Whether a request is, from its first byte to its last."""
    _began = 0.0
    _body_bytes: int | None = None
    """None until the head is complete."""
    _bytes_beside = 0
    """Bytes since the last part of a body, or since the request before this one."""
    _door: Door | None = None
    _held: bytearray | None = None
    """The body of a request that the door looks at before the application sees anything of it."""
    _shut: Overloaded | None = None
    """Why the door is shut for it, as long as that was found among the bytes that are being read."""
    _refused = 0.0
    """When a request was last refused before it was parsed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._door = self.app_state.get(DOOR)
        self._begin()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end()
        self.resume_writing()
        if self._leaving is not None:
            self._leaving.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if not self._arriving:
            if self._refused_at_once(data):
                return
            self._begin()
        self._bytes_beside += len(data)
        self._shut = None
        super().data_received(data)
        if not self._arriving:  # all of it was there at once, as mostly
            return
        if self._deadline is None:
            self._watch()
        if self._bytes_beside > self.max_head_bytes:
            self._refuse(431, TOO_LARGE_HEAD.format(limit=self.max_head_bytes))

    def on_message_begin(self) -> None:
        """See httptools."""
        if not self._arriving:  # it came together with the one before
            self._begin()
        self._unset_keepalive_if_required()
        self._held = None
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools; fields behind a chunked body are dropped."""
        if self._body_bytes is None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._body_bytes = 0
        if self._stands_before_the_door():
            self._held = bytearray()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._body_bytes = (self._body_bytes or 0) + len(body)
        self._bytes_beside = 0
        if self._held is None:
            super().on_body(body)
            return
        self._held += body
        if len(self._held) > MAX_BODY:
            self._let_in(self._held)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._end()
        self._bytes_beside = 0
        if self._held is not None:
            if self._turned_away(self._held):
                return
            self._let_in(self._held)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """See uvicorn: an answer was written. The next request may be arriving, and has its own time."""
        super().on_response_complete()
        if self._arriving:
            self._unset_keepalive_if_required()
        if self.transport.is_closing():
            self._leave()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to another protocol."""
        self._end()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """See asyncio.Protocol: more of an answer waits than the connection takes."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without requests, also when its last answer is not taken."""
        left = self._refused + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
            return
        super().timeout_keep_alive_handler()
        self._leave()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it says less than our own
        """Answer what is no HTTP."""
        self._refuse(400, MALFORMED)

    @property
    def _answering(self) -> bool:
        """Whether what was sent waits for the answer to a request before it."""
        cycle = self.cycle
        return bool(self.pipeline) or (cycle is not None and not cycle.more_body and not cycle.response_complete)

    @property
    def _may_be_held(self) -> bool:
        """Not while the answer to a request before is due, nor when the caller waits to be asked for the body."""
        return (self.cycle is None or self.cycle.response_complete) and not self.expect_100_continue

    @property
    def _taken(self) -> bool:
        """Whether all that was sent was taken, and more may be."""
        return not self.transport.get_write_buffer_size() and not self.transport.is_closing()

    def _stands_before_the_door(self) -> bool:
        """Not while an answer is not taken.

        Nor from a page of another site: its browser must see by the headers of the answer that it may read it.
        """
        if self._door is None or self.parser.get_method() != b"POST":
            return False
        self._shut = self._door.shut(self.url)
        return (
            self._shut is not None
            and self._may_be_held
            and self._taken
            and all(name != b"origin" for name, _ in self.headers)
        )

    def _refused_at_once(self, data: bytes) -> bool:
        """Whether all that came is a request that was answered at the door, which was not even parsed."""
        door, now = self._door, self.loop.time()
        if door is None or not door.refuses(now) or not self._may_be_held or not self._taken:
            return False
        answer = door.at_once(data, now)
        if answer is None:
            return False
        self.transport.write(STATUS_LINE[429] + header_lines(self.server_state.default_headers) + answer)
        self.server_state.total_requests += 1
        self._refused = now
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        return True

    def _turned_away(self, body: bytearray) -> bool:
        """Whether the request was answered at the door."""
        assert self._door is not None  # noqa: S101 - it was asked before
        answer = self._door.refusal(self.url, body, self.headers, self._shut, self.loop.time())
        if answer is None:
            return False
        self._held = None
        stays = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        about = self.server_state.default_headers if stays else [*self.server_state.default_headers, CLOSE]
        self.transport.write(STATUS_LINE[429] + header_lines(about) + answer)
        if not stays:
            self.transport.close()
        self.on_response_complete()
        return True

    def _let_in(self, body: bytearray) -> None:
        """Begin the request as if its body came now."""
        self._held = None
        super().on_headers_complete()
        super().on_body(bytes(body))

    def _begin(self) -> None:
        self._arriving = True
        self._began = self.loop.time()
        self._body_bytes = None

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._expired)

    def _end(self) -> None:
        self._arriving = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _leave(self) -> None:
        """Wait no longer than for any answer until the last one is taken."""
        if self._leaving is None:
            self._leaving = self.loop.call_later(self.answer_seconds, self.transport.abort)

    def _expired(self) -> None:
        if self._answering:
            self._begin()
            self._watch()
            return
        left = 0.0
        if self._body_bytes is not None:
            allowed = self.body_seconds + self._body_bytes / self.body_bytes_per_second
            left = self._began + allowed - self.loop.time()
        if left > 0:
            self._deadline = self.loop.call_later(left, self._expired)
        else:
            self._refuse(408, TOO_SLOW.format(head=self.head_seconds, body=self.body_seconds))

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, unless the request has an answer already, and close."""
        self._end()
        if self.transport.is_closing():
            return
        unanswered = self.cycle is None or not self.cycle.response_started
        if self._body_bytes is None or self._held is not None or unanswered:
            answer = problem(status, detail, headers={"Connection": "close", "X-Request-ID": uuid.uuid4().hex})
            self.transport.write(STATUS_LINE[status] + below_status(answer))
        self.transport.close()
        self._leave()
