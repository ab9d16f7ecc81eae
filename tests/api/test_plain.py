"""What is read at one look is what a parser of HTTP reads, and anything else is left to it."""

import time

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nlp_service.api.plain import Plain, plain

BODY = '{"tickets": [{"text": "導出報表就閃退😡"}]}'.encode()
CURL = b"POST /v1/classify HTTP/1.1\r\nHost: a:8000\r\nUser-Agent: curl/8\r\nAccept: */*\r\nContent-Length: 52\r\n\r\n"


class Parsed:
    """What httptools makes of bytes: everything that it tells, in order."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = self.body = b""
        self.messages = self.complete = 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.messages += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def _request(*lines: str, start: str = "POST /v1/classify HTTP/1.1", body: bytes = BODY) -> bytes:
    return "\r\n".join([start, *lines]).encode("latin-1") + b"\r\n\r\n" + body


LENGTH = f"Content-Length: {len(BODY)}"


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: a", LENGTH],
        [LENGTH, "host: a", "content-type: application/json; charset=utf-8"],
        ["Host: [::1]:8000", "Accept: */*", "Accept-Encoding: gzip, br", "Connection: keep-alive", LENGTH],
        [
            "Host: a",
            "Authorization: Bearer nlp_ab12_secret",
            f"content-length:{len(BODY)}",
            "X-API-Key: nlp_ab12_secret",
        ],
        ["Host: a", LENGTH, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Tracestate: a=b"],
        ["Host:\ta ", LENGTH],
    ],
    ids=lambda lines: lines[-1].split(":")[0],
)
def test_ordinary_callers_are_read(lines: list[str]) -> None:
    assert plain(_request(*lines)) == Plain(b"/v1/classify", b"", BODY)


@pytest.mark.parametrize("lines", [["X-Request-ID: T-1", LENGTH], [LENGTH, "x-request-id:T-1"]], ids=["early", "late"])
def test_the_id_is_read(lines: list[str]) -> None:
    found = plain(_request("Host: a", *lines))
    assert found is not None
    assert found.request_id == b"T-1"


@pytest.mark.parametrize(
    "data",
    [
        _request("Host: a", LENGTH, start="GET /v1/classify HTTP/1.1"),
        _request("Host: a", LENGTH, start="POST /v1/classify HTTP/1.0"),
        _request("Host: a", LENGTH, start="POST /v1/classify?a=b HTTP/1.1"),
        _request("Host: a", LENGTH, start="POST /v1/%63lassify HTTP/1.1"),
        _request("Host: a", LENGTH, start="POST http://a/v1/classify HTTP/1.1"),
        _request("Host: a", LENGTH, start="POST  /v1/classify HTTP/1.1"),
        _request("Host: a", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        _request("Host: a", LENGTH, "Transfer-Encoding: chunked"),
        _request("Host: a", LENGTH, LENGTH),
        _request("Host: a", "Content-Length: 1, 52"),
        _request("Host: a", "Content-Length: +52"),
        _request("Host: a", LENGTH + "0"),
        _request("Host: a", LENGTH, body=BODY[:-1]),
        _request("Host: a", LENGTH, body=BODY + b"P"),
        _request("Host: a", LENGTH) * 2,
        _request("Host: a", LENGTH, "Expect: 100-continue"),
        _request("Host: a", LENGTH, "Origin: https://a"),
        _request("Host: a", LENGTH, "Connection: close"),
        _request("Host: a", LENGTH, "Connection: keep-alive, Upgrade", "Upgrade: websocket"),
        _request("Host: a", LENGTH, "Content-Encoding: gzip"),
        _request("Host: a", LENGTH, "X-Other: a"),
        _request("Host : a", LENGTH),
        _request("Host: a", " folded", LENGTH),
        _request("Host: a\x00", LENGTH),
        _request("Host: \xe9", LENGTH),
        _request("X-Request-ID: a b", LENGTH),
        _request("X-Request-ID: a", LENGTH, "X-Request-ID: b"),
        _request("X-Request-ID: a", "X-Request-ID: b", LENGTH),
        _request("Host: a", LENGTH).replace(b"\r\n", b"\n"),
        b"\r\n" + _request("Host: a", LENGTH),
        _request("Host: a"),
        b"",
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert plain(data) is None


NAMES = [
    *("Host", "accept", "User-Agent", "CONTENT-TYPE", "X-API-Key", "Connection", "X-Request-ID", "Content-Length"),
    *("Transfer-Encoding", "Origin", "Expect", "Upgrade"),
]
VALUES = ["a", "", "keep-alive", "close", "chunked", "*/*", "T-1", str(len(BODY)), "0", "\t b ", "x\r\nHost: b"]
LINES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([":", ": ", " :", ":  "]), st.sampled_from(VALUES)))


@given(
    lines=LINES,
    begin=st.sampled_from(["POST /v1/search HTTP/1.1", "POST / HTTP/1.0"]),
    body=st.just(BODY) | st.binary(),
)
@example(lines=[("X-Request-ID", ": ", "T-1")], begin="POST /v1/search HTTP/1.1", body=BODY)
def test_both_read_the_same(lines: list[tuple[str, str, str]], begin: str, body: bytes) -> None:
    lengths = [("Content-Length", ": ", str(len(body)))]
    data = _request(*(name + colon + value for name, colon, value in [*lines, *lengths]), start=begin, body=body)
    found = plain(data)
    if found is None:
        return
    parsed = Parsed(data)
    assert (parsed.messages, parsed.complete) == (1, 1)
    assert (parsed.parser.get_method(), parsed.parser.get_http_version()) == (b"POST", "1.1")
    assert parsed.parser.should_keep_alive()
    assert (parsed.url, parsed.body) == (found.path, found.body)
    assert dict(parsed.headers).get(b"x-request-id", b"") == found.request_id
    assert not {name for name, _ in parsed.headers} & {b"transfer-encoding", b"origin", b"expect", b"upgrade"}


@pytest.mark.parametrize(
    "filling",
    [b"Host: a\r\n", b"X-Request-ID: a\r\n", b"Host: " + b"a" * 50 + b"\r\n", b" " * 9, b"Content-Length: 1\r\n"],
)
def test_it_takes_time_in_proportion_to_the_bytes(filling: bytes) -> None:
    def seconds(times: int) -> float:
        data = b"POST / HTTP/1.1\r\nHost: " + filling * times + b"\x00"
        best = 1.0
        for _ in range(5):
            began = time.perf_counter()
            assert plain(data) is None
            best = min(best, time.perf_counter() - began)
        return best

    assert seconds(80_000) < 16 * max(seconds(20_000), 1e-5)
