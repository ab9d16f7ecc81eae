"""The service as a process of its own under thousands of connections, and when it is told to stop."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import READY_SECONDS, long_request, running, wait_until_accepted

resource = pytest.importorskip("resource", reason="not on Windows")
SLOW, KEPT = 10_000, 1_000
SPARE = 500
"""Open files that the tests and the service need for other things."""
TEXTS, REQUESTS = 16, 4
BODY = {"tickets": [{"text": f"第{number}次导出报表就闪退,重装也没有用"} for number in range(TEXTS)]}
COMMAND = [sys.executable, "-m", "nlp_service", "serve"]
Running = tuple[subprocess.Popen[bytes], httpx.Client]


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the service."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Iterator[Running]:
    """Its process and a client; the last test stops it."""
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    (home / "models").symlink_to(PROJECT / "models")
    patient = {"NLP_RECENT_TEXTS": "0", "NLP_MAX_BATCH_WAIT_SECONDS": "600"}
    with running(home, COMMAND, NLP_THREADS="1", TMPDIR=str(temporary), **patient) as started:
        yield started


@pytest.fixture
def client(service: Running) -> httpx.Client:
    return service[1]


@pytest.fixture
def allowed() -> Iterator[int]:
    """How many connections this process may have; as many as it may be given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard - SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _connected(client: httpx.Client, count: int) -> Iterator[list[socket.socket]]:
    address = ("127.0.0.1", int(client.base_url.port or 0))
    with ExitStack() as opened:
        yield [opened.enter_context(socket.create_connection(address, timeout=READY_SECONDS)) for _ in range(count)]


def _wait_until_closed(connections: list[socket.socket]) -> int:
    """How many are closed by the other side before patience ends."""
    closed = 0
    with selectors.DefaultSelector() as waiting:
        for connection in connections:
            waiting.register(connection, selectors.EVENT_READ)
        give_up = time.monotonic() + READY_SECONDS
        while waiting.get_map() and time.monotonic() < give_up:
            for key, _ in waiting.select(timeout=1):
                assert isinstance(key.fileobj, socket.socket)
                if not key.fileobj.recv(65536):
                    waiting.unregister(key.fileobj)
                    closed += 1
    return closed


def _get_on_each(connections: list[socket.socket]) -> int:
    """How many of the connections answer a request that is made on all of them at once."""
    for connection in connections:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    return sum(_is_answered(connection) for connection in connections)


def _is_answered(connection: socket.socket) -> bool:
    received = b""
    while b"alive" not in received:
        part = connection.recv(65536)
        if not part:
            return False
        received += part
    return received.startswith(b"HTTP/1.1 200")


def test_thousands_of_slow_callers_neither_stop_others_nor_stay(client: httpx.Client, allowed: int) -> None:
    slow = min(SLOW, allowed)
    with _connected(client, slow) as connections:
        for connection in connections:
            connection.sendall(b"GET /livez HTTP/1.1\r\nX-A: ")
        answer = client.post("/v1/classify", json=BODY)
        assert (answer.status_code, len(answer.json()["results"])) == (200, TEXTS)
        assert _wait_until_closed(connections) == slow


def test_a_thousand_connections_may_stay_open_between_requests(client: httpx.Client, allowed: int) -> None:
    kept = min(KEPT, allowed)
    with _connected(client, kept) as connections:
        assert [_get_on_each(connections) for _ in range(2)] == [kept, kept]


def test_what_was_accepted_is_answered_when_the_service_is_told_to_stop(service: Running, temporary: Path) -> None:
    process, client = service

    def ask(number: int) -> int:
        with httpx.Client(base_url=client.base_url, timeout=READY_SECONDS) as own:
            return own.post("/v1/classify", json=long_request(number)).status_code

    with ThreadPoolExecutor(REQUESTS) as pool:
        asked = [pool.submit(ask, number) for number in range(REQUESTS)]
        wait_until_accepted(client, REQUESTS)
        os.kill(process.pid, signal.SIGTERM)
        assert [request.result() for request in asked] == [200] * REQUESTS
    process.wait(READY_SECONDS)
    with pytest.raises(httpx.ConnectError):
        client.get("/livez")
    assert not list(temporary.iterdir())
