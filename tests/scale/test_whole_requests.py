"""What Ray's proxy hands on: whole requests, in the order in which they came."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse

import pytest
from fastapi import FastAPI, Request

from nlp_service.api.door import MAX_BODY
from nlp_service.scale.whole_requests import WholeRequests
from tests.api.listening import PATIENCE, listening

BEGUN: list[str] = []
"""Paths of the requests that the application saw."""


def _app() -> FastAPI:
    app = FastAPI()

    @app.post("/{name}")
    async def size(name: str, request: Request) -> int:
        BEGUN.append(name)
        return len(await request.body())

    return app


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(_app(), WholeRequests) as (_, listened):
        yield listened


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as connected:
        yield connected


def _head(name: str, *fields: str) -> bytes:
    return "\r\n".join([f"POST /{name} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


def _answer(connection: socket.socket) -> bytes:
    with HTTPResponse(connection) as answer:
        answer.begin()
        return answer.read()


def _is_begun(name: str) -> bool:
    time.sleep(0.1)
    return name in BEGUN


def test_a_request_begins_once_its_body_is_there(connection: socket.socket) -> None:
    connection.sendall(_head("late", "Content-Length: 10") + b"12345")
    assert not _is_begun("late")
    connection.sendall(b"67890")
    assert _answer(connection) == b"10"


def test_so_it_is_with_a_body_in_parts(connection: socket.socket) -> None:
    connection.sendall(_head("parts", "Transfer-Encoding: chunked") + b"5\r\n12345\r\n")
    assert not _is_begun("parts")
    connection.sendall(b"5\r\n67890\r\n0\r\n\r\n")
    assert _answer(connection) == b"10"


def test_a_large_body_is_handed_on_as_it_comes(connection: socket.socket) -> None:
    connection.sendall(_head("large", f"Content-Length: {MAX_BODY + 1}") + b"12345")
    assert _is_begun("large")
    connection.sendall(b"x" * (MAX_BODY - 4))
    assert _answer(connection) == str(MAX_BODY + 1).encode()


def test_requests_on_one_connection_are_answered_in_turn(connection: socket.socket) -> None:
    connection.sendall(b"".join(_head("turn", f"Content-Length: {size}") + b"x" * size for size in (1, 2)))
    received = b""
    while received.count(b"\r\n\r\n") < 2 or not received.endswith(b"2"):
        more = connection.recv(4096)
        assert more
        received += more
    assert [part[:1] for part in received.split(b"\r\n\r\n")[1:]] == [b"1", b"2"]


def test_who_waits_to_be_asked_for_the_body_is_asked(connection: socket.socket) -> None:
    connection.sendall(_head("asked", "Expect: 100-continue", "Content-Length: 2"))
    assert connection.recv(12) == b"HTTP/1.1 100"
