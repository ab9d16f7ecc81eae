"""Callers who are slow, break off or send nonsense: each is told so and let go, and costs nobody else anything."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import Response

from nlp_service.api.protocol import BoundedHttp
from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.api.listening import PATIENCE, listening

HOST = "127.0.0.1"
BODY = json.dumps({"title": "导出很慢", "problem": "导出报表超时", "solution": "分批导出"}).encode()
HEAD = (
    b"POST /v1/knowledge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(BODY)).encode()
    + b"\r\n\r\n"
)
GET = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
TAKEN_AT_MOST = 64 * 2**20
"""Bytes, buffers of the sockets included."""
TAKEN_AT_LEAST = 6 * 2**20
"""More bytes than buffers of the sockets hold of an answer that nobody reads."""
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"


class Hasty(BoundedHttp):
    """Waits so shortly that tests need not; what has come of a body buys an hour."""

    head_seconds = 0.3
    body_seconds = 0.3
    answer_seconds = 0.3
    body_bytes_per_second = len(BODY) // 2 / 3600  # type: ignore[assignment]


class HastyWithBodies(Hasty):
    """Waits as shortly for bodies that come in parts."""

    body_bytes_per_second = 1_000_000


@pytest.fixture(scope="module", params=[HastyWithBodies])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, engine: Engine
) -> Iterator[tuple[uvicorn.Server, int]]:
    home = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    app = create_app(Settings(home=home), engine)
    app.add_api_route("/zeros/{size}", _zeros)
    with listening(app, request.param) as started:
        yield started


async def _zeros(size: int) -> Response:
    return Response(b"0" * size)


@pytest.fixture
def port(running: tuple[uvicorn.Server, int]) -> int:
    return running[1]


def _connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=PATIENCE)


def _answer(connection: socket.socket) -> tuple[int, Any]:
    """Status and document of the next answer; they come with an id, as problems or as what was asked for."""
    with HTTPResponse(connection) as response:
        response.begin()
        assert response.headers["X-Request-ID"]
        return response.status, json.loads(response.read())


def _trickle(connection: socket.socket) -> None:
    """Send blank lines until the connection is closed."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        connection.sendall(b"\r\n")
        time.sleep(0.01)


def _refusal(connection: socket.socket) -> int:
    """Status of the problem that a connection is closed with."""
    status, document = _answer(connection)
    assert document["status"] == status
    assert connection.recv(1) == b""
    return status


def _articles(port: int) -> int:
    return int(httpx.get(f"http://{HOST}:{port}/v1/knowledge").json()["total"])


@pytest.mark.parametrize(
    "sent", [b"", b"G", b"GET /livez HTTP/1.1\r\nHost: a\r\nX-A: b", b"\r\n\r\n"], ids=["none", "byte", "head", "blank"]
)
def test_a_head_that_does_not_come_is_not_waited_for(port: int, sent: bytes) -> None:
    with _connected(port) as connection:
        connection.sendall(sent)
        assert _refusal(connection) == 408


def test_a_head_that_trickles_has_no_more_time(port: int) -> None:
    with _connected(port) as connection, pytest.raises(OSError, match=r"(?i)reset|pipe"):
        _trickle(connection)


@pytest.mark.parametrize("part", [0, len(BODY) // 2], ids=["none of it", "half of it"])
def test_a_body_that_does_not_come_is_not_waited_for_and_nothing_is_stored(port: int, part: int) -> None:
    with _connected(port) as connection:
        connection.sendall(HEAD + BODY[:part])
        assert _refusal(connection) == 408
    assert _articles(port) == 0


def test_a_caller_that_breaks_off_has_stored_nothing(running: tuple[uvicorn.Server, int]) -> None:
    server, port = running
    with _connected(port) as connection:
        connection.sendall(HEAD + BODY[:-1])
    _wait_until_all_are_gone(server)
    assert _articles(port) == 0


@pytest.mark.parametrize("running", [Hasty], indirect=True)
def test_a_body_that_comes_fast_enough_may_take_longer(running: tuple[uvicorn.Server, int]) -> None:
    with _connected(running[1]) as connection:
        connection.sendall(HEAD + BODY[: len(BODY) // 2 + 1])
        time.sleep(3 * Hasty.body_seconds)
        connection.sendall(BODY[len(BODY) // 2 + 1 :])
        assert _answer(connection)[0] == 201


def test_a_request_on_a_kept_connection_has_its_own_time(port: int) -> None:
    with closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
        for _ in range(3):
            connection.request("GET", "/livez")
            assert connection.getresponse().read() == b'{"status":"alive"}'
            time.sleep(0.6 * Hasty.head_seconds)


def test_requests_that_are_sent_together_are_answered_in_turn(port: int) -> None:
    with _connected(port) as connection:
        connection.sendall(3 * GET)
        received = b""
        while received.count(b"alive") < 3:
            part = connection.recv(65536)
            assert part
            received += part
    assert received.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("half", [GET[:20], HEAD + BODY[:9]], ids=["head", "body"])
@pytest.mark.parametrize("keep_alive", [Hasty.head_seconds / 3, 5.0])
def test_half_a_request_behind_a_whole_one_is_told_after_its_time(
    running: tuple[uvicorn.Server, int], half: bytes, keep_alive: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, port = running
    monkeypatch.setattr(server.config, "timeout_keep_alive", keep_alive)
    with _connected(port) as connection:
        connection.sendall(GET + half)
        assert _answer(connection)[0] == 200
        assert _answer(connection)[0] == 408


@pytest.mark.parametrize("field", [b"X-A: ", b"X-A: b\r\nX-"], ids=["value", "name"])
def test_a_head_without_end_is_refused(port: int, field: bytes) -> None:
    with _connected(port) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n" + field)
        for _ in range(8):
            connection.sendall(8192 * b"a")
        assert _answer(connection)[0] == 431


@pytest.mark.parametrize("running", [BoundedHttp], indirect=True)
def test_headers_behind_a_body_have_an_end(port: int) -> None:
    chunked = HEAD.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
    with _connected(port) as connection:
        connection.sendall(chunked)
        sent = 0
        with suppress(ConnectionError):
            while sent <= TAKEN_AT_MOST:
                connection.sendall(b"X-A: " + 8192 * b"a" + b"\r\n")
                sent += 8192
    assert sent <= TAKEN_AT_MOST


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET http://a:99999/x HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["TLS", "nonsense", "no target", "a port that does not exist"],
)
def test_what_is_no_http_is_told_so(port: int, sent: bytes) -> None:
    with _connected(port) as connection:
        connection.sendall(sent)
        assert _refusal(connection) == 400


def _wait_until_all_are_gone(server: uvicorn.Server) -> None:
    give_up = time.monotonic() + PATIENCE
    while server.server_state.connections and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not server.server_state.connections


def test_a_caller_that_does_not_take_its_answers_is_let_go(running: tuple[uvicorn.Server, int]) -> None:
    server, port = running
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect((HOST, port))
        connection.sendall(200 * LARGE)
        _wait_until_all_are_gone(server)


@pytest.mark.parametrize("last", [b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b" HTTP/1.0\r\n\r\n"])
def test_a_caller_that_does_not_take_its_last_answer_is_let_go(
    running: tuple[uvicorn.Server, int], last: bytes
) -> None:
    server, port = running
    with ExitStack() as callers:
        for size in range(0, TAKEN_AT_LEAST, 48 * 1024):  # with one of them less waits than makes the server pause
            connection = callers.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.connect((HOST, port))
            connection.sendall(b"GET /zeros/%d" % size + last)
        _wait_until_all_are_gone(server)
