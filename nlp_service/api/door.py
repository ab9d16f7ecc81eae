"""Under overload most requests are refused, and a refusal must cost next to nothing or it takes the place of an answer.

So a request that is bound to be refused is answered where its bytes arrive (`protocol.py`), before an application, a
key or a field is looked at: a seventh of the time of the ordinary way (docs/decisions/0020), which refuses as well.
When others were refused just now, a plain one that came whole on a connection in use is not even parsed
(docs/decisions/0028).
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import structlog

from nlp_service.api.headers import ALWAYS
from nlp_service.api.plain import plain
from nlp_service.api.problems import below_status, problem
from nlp_service.api.request_id import request_id_of
from nlp_service.errors import Overloaded
from nlp_service.observability.requests import count_refusal

MAX_BODY = 65_536
"""Bytes; larger ones go the ordinary way."""
TELL_SECONDS = 1.0
"""One log line for all that were refused meanwhile."""
LATELY_SECONDS = 0.2
"""After a refusal the next one is expected for so long."""
KEPT_SECONDS = 0.005
"""What one text was told is told to others for so long; of a queue that changes by some texts meanwhile."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Room:
    """What an endpoint needs."""

    check: Callable[[int], None]
    """Raises Overloaded when a request of so many texts would be refused; costs microseconds."""
    field: str | None = None
    """Of the body: a list with an entry for each text, or one text. None: every request counts as one."""

    def texts(self, body: bytes | bytearray) -> int | None:
        """How many texts a body has; None when that cannot be told, as when it is no JSON."""
        if self.field is None:
            return 1
        try:
            given = json.loads(body)[self.field]
        except (ValueError, TypeError, LookupError, RecursionError):
            return None
        return len(given) if isinstance(given, list) else 1


@dataclass(frozen=True)
class Kept:
    """What a text was told, until a time of the event loop's."""

    until: float
    why: Overloaded
    rendered: bytes

    @classmethod
    def of(cls, why: Overloaded, now: float) -> "Kept":
        """For the next milliseconds."""
        return cls(now + KEPT_SECONDS, why, _rendered(str(why), why.retry_after))


class Door:
    """Tells requests that will be refused for want of room; for use by one event loop."""

    def __init__(self, rooms: Mapping[str, Room]) -> None:
        """`rooms` by the path of the endpoint."""
        self._rooms = {path.encode("ascii"): room for path, room in rooms.items()}
        self._refused: Counter[str] = Counter()
        self._kept: dict[bytes, Kept] = {}
        self._lately = 0.0

    def refuses(self, now: float) -> bool:
        """Whether requests were refused lately, at a time of the event loop's, so that others are worth a look."""
        return now < self._lately

    def at_once(self, data: bytes, now: float) -> bytes | None:
        """As `refusal`, of all that came on a connection where no answer is due; None also when it is no plain request.

        The same is told for some milliseconds.
        """
        request = plain(data) if len(data) <= MAX_BODY else None
        room = None if request is None else self._rooms.get(request.path)
        if request is None or room is None:
            return None
        kept = self._kept.get(request.path)
        if kept is None or now >= kept.until:
            why = _why_not(room, 1)
            if why is None:
                return None
            kept = self._kept[request.path] = Kept.of(why, now)
        texts = room.texts(request.body)
        if texts is None:
            return None
        if texts != 1:
            why = _why_not(room, texts)
            if why is None:
                return None
            kept = Kept.of(why, now)
        return self._told(request.path, request.request_id.decode("ascii"), kept.why, kept.rendered, now)

    def shut(self, path: bytes) -> Overloaded | None:
        """Why even a single text would be refused now, so that the body is worth a look; None when it would not."""
        room = self._rooms.get(path)
        return None if room is None else _why_not(room, 1)

    def refusal(
        self,
        path: bytes,
        body: bytes | bytearray,
        headers: Iterable[tuple[bytes, bytes]],
        shut: Overloaded | None,
        now: float,
    ) -> bytes | None:
        """Headers, with their blank line, and body of the answer that refuses; None when the request may come in.

        `shut` is why a single text is refused, where that was asked just now.
        """
        room = self._rooms[path]
        texts = room.texts(body)
        if texts is None:
            return None
        why = shut if shut is not None and texts == 1 else _why_not(room, texts)
        if why is None:
            return None
        given = next((value for name, value in headers if name == b"x-request-id"), b"").decode("latin-1")
        return self._told(path, given, why, _rendered(str(why), why.retry_after), now)

    def _told(self, path: bytes, given: str, why: Overloaded, rendered: bytes, now: float) -> bytes:
        self._lately = now + LATELY_SECONDS
        self._count(path.decode("ascii"), why)
        return b"x-request-id: %b\r\n%b" % (request_id_of(given).encode("ascii"), rendered)

    def _count(self, path: str, refused: Overloaded) -> None:
        count_refusal("POST", path, refused.reason)
        if not self._refused:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)
        self._refused[path] += 1

    def _tell(self) -> None:
        for route, requests in self._refused.items():
            log.info("requests refused", method="POST", route=route, status=429, requests=requests)
        self._refused.clear()


def _why_not(room: Room, texts: int) -> Overloaded | None:
    try:
        room.check(texts)
    except Overloaded as refused:
        return refused.with_traceback(None)  # which leads to the frame that it is returned to: left to the collector
    return None


@lru_cache(maxsize=256)
def _rendered(message: str, retry_after: int) -> bytes:
    return below_status(problem(429, message, headers={"Retry-After": str(retry_after), **ALWAYS}))
