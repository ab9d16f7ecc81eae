"""The plainest requests, as one look at their bytes reads them; any other is left to a parser of HTTP.

Under overload nearly all that comes is refused, and a parser with its callbacks costs more than all else that a refusal
needs (docs/decisions/0028). A plain request came whole and alone, has a body of a length that is told once, and only
headers that change nothing about how it is read or answered.
"""

import re
from dataclasses import dataclass

_LINES = (
    rb"(?:(?i:Host|User-Agent|Accept|Accept-Encoding|Accept-Language|Content-Type|Authorization|X-API-Key|Traceparent|"
    rb"Tracestate):[\t -~]*\r\n|(?i:Connection: ?keep-alive)\r\n)*+"
)
_ID = rb"(?:(?i:X-Request-ID): ?([A-Za-z0-9._-]{1,64})\r\n" + _LINES + rb")?"
_LENGTH = rb"(?i:Content-Length): ?([0-9]{1,9})\r\n"
_HEAD = re.compile(rb"POST (/[a-z0-9/_-]*) HTTP/1\.1\r\n" + _LINES + _ID + _LENGTH + _LINES + _ID + rb"\r\n")


@dataclass(frozen=True, slots=True)
class Plain:
    """A POST over HTTP/1.1 whose connection stays."""

    path: bytes
    request_id: bytes
    """A harmless one, or empty."""
    body: bytes


def plain(data: bytes) -> Plain | None:
    """The request that all of the bytes are; None when they are no plain one."""
    head = _HEAD.match(data)
    if head is None:
        return None
    path, early, length, late = head.groups()
    if early is not None and late is not None:
        return None
    body = data[head.end() :]
    return Plain(path, early or late or b"", body) if len(body) == int(length) else None
