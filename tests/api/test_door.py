"""Under overload requests are refused where they arrive: the same answer as of the application, for next to nothing."""

import asyncio
import gc
import json
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from socket import create_connection, socket
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from nlp_service.api import door
from nlp_service.api.protocol import BoundedHttp
from nlp_service.api.search_queue import SearchQueue
from nlp_service.app import create_app
from nlp_service.errors import Overloaded
from nlp_service.inference.batching import INTERACTIVE_TEXTS
from nlp_service.inference.engine import Engine
from nlp_service.inference.waiting import Lane, Waiting
from nlp_service.settings import Settings
from tests.api.listening import PATIENCE, listening

HOST = "127.0.0.1"
ONE = {"tickets": [{"text": "导出報表就闪退😡"}]}
FEW = {"tickets": [{"text": f"第{number}次登录失败"} for number in range(INTERACTIVE_TEXTS + 1)]}
MANY_TOKENS = 10**9
SLOW_SECONDS = 0.5


class Hasty(BoundedHttp):
    """Waits for bodies so shortly that tests need not."""

    head_seconds = 0.3
    body_seconds = 0.3
    body_bytes_per_second = 10**6


async def _slow() -> str:
    await asyncio.sleep(SLOW_SECONDS)
    return "done"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[tuple[uvicorn.Server, int]]:
    home = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    app = create_app(Settings(home=home), engine)
    app.add_api_route("/slow", _slow)
    with listening(app, Hasty) as started:
        yield started


@pytest.fixture
def port(running: tuple[uvicorn.Server, int]) -> int:
    return running[1]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single texts would wait for days, batches of texts would not."""
    real = Waiting.tokens_before

    def tokens_before(waiting: Waiting, lane: Lane) -> float:
        return MANY_TOKENS if lane == "interactive" else real(waiting, lane)

    monkeypatch.setattr(Waiting, "tokens_before", tokens_before)


def _post(port: int, body: object, path: str = "/v1/classify", **headers: str) -> httpx.Response:
    return httpx.post(f"http://{HOST}:{port}{path}", json=body, headers=headers, timeout=PATIENCE)


def _handled(path: str = "/v1/classify") -> float:
    """Requests that the application has seen."""
    return REGISTRY.get_sample_value("nlp_request_seconds_count", {"route": path}) or 0.0


def _request(body: bytes, *headers: str) -> bytes:
    lines = [
        "POST /v1/classify HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _read(connection: socket) -> tuple[HTTPResponse, Any]:
    response = HTTPResponse(connection)
    response.begin()
    return response, json.loads(response.read())


@pytest.mark.usefixtures("full")
def test_a_refusal_at_the_door_is_the_applications_own(port: int) -> None:
    before = _handled()
    at_the_door = _post(port, ONE)
    assert _handled() == before
    inside = _post(port, ONE, Origin=f"http://{HOST}:{port}")
    assert _handled() == before + 1
    assert at_the_door.status_code == inside.status_code == 429
    assert at_the_door.json() == inside.json()
    changing = ("date", "x-request-id")
    assert {name: value for name, value in at_the_door.headers.items() if name not in changing} == {
        name: value for name, value in inside.headers.items() if name not in changing
    }
    assert int(at_the_door.headers["retry-after"]) > 0
    assert len(at_the_door.headers["x-request-id"]) == 32


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of requests to the door that were parsed."""
    bodies: list[bytes] = []
    real = door.Door.refusal

    def refusal(shut: door.Door, path: bytes, body: bytes, *others: Any) -> bytes | None:
        bodies.append(bytes(body))
        return real(shut, path, body, *others)

    monkeypatch.setattr(door.Door, "refusal", refusal)
    return bodies


@pytest.mark.usefixtures("full")
def test_what_follows_a_refusal_is_not_even_parsed(
    port: int, parsed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    time.sleep(2 * door.LATELY_SECONDS)  # nothing is expected to be refused any more
    monkeypatch.setattr(door, "LATELY_SECONDS", 5.0)
    body = json.dumps(ONE).encode()
    with create_connection((HOST, port), PATIENCE) as connection:

        def ask(*headers: str) -> tuple[HTTPResponse, Any]:
            connection.sendall(_request(body, *headers) + body)
            return _read(connection)

        (first, told), (second, told_again) = ask(), ask()
        assert len(parsed) == 1
        assert first.status == second.status == 429
        assert told == told_again
        assert [name for name, _ in first.getheaders()] == [name for name, _ in second.getheaders()]
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        assert ask("X-Request-ID: T-1")[0].headers["x-request-id"] == "T-1"
        assert len(parsed) == 1
        assert ask("X-Request-ID: a b")[0].headers["x-request-id"] != "a b"
        assert len(parsed) == 2


@pytest.mark.usefixtures("full")
def test_a_batch_that_has_room_comes_in_also_behind_a_refusal(port: int) -> None:
    statuses = []
    with create_connection((HOST, port), PATIENCE) as connection:
        for body in (ONE, ONE, FEW, ONE):
            sent = json.dumps(body).encode()
            connection.sendall(_request(sent) + sent)
            statuses.append(_read(connection)[0].status)
    assert statuses == [429, 429, 200, 429]


@pytest.mark.usefixtures("full", "parsed")
def test_a_connection_with_nothing_but_refusals_is_closed_in_time(
    running: tuple[uvicorn.Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, port = running
    monkeypatch.setattr(server.config, "timeout_keep_alive", 1.0)
    body = json.dumps(ONE).encode()
    _post(port, ONE)
    with create_connection((HOST, port), PATIENCE) as connection:
        for _ in range(20):  # for longer than an idle connection stays
            connection.sendall(_request(body) + body)
            assert _read(connection)[0].status == 429
            time.sleep(0.1)
        asked = time.monotonic()
        assert connection.recv(1) == b""
        assert 0.5 < time.monotonic() - asked < PATIENCE / 2


@pytest.mark.usefixtures("full")
def test_all_that_is_sent_at_once_is_answered_once(port: int) -> None:
    """Requests are sent as fast as they are taken, one behind the other: each is answered, and none twice."""
    body = json.dumps(ONE).encode()
    _post(port, ONE)
    requests, answers = 3000, b""
    with create_connection((HOST, port), PATIENCE) as connection:
        sender = threading.Thread(target=connection.sendall, args=[(_request(body) + body) * requests])
        sender.start()
        time.sleep(0.5)
        while answers.count(b"HTTP/1.1 ") < requests or not answers.endswith(b"}"):
            part = connection.recv(1 << 20)
            assert part
            answers += part
        sender.join()
    assert answers.count(b"HTTP/1.1 429") == requests


@pytest.mark.usefixtures("full")
def test_the_callers_id_is_given_back_when_it_is_harmless(port: int) -> None:
    assert _post(port, ONE, **{"X-Request-ID": "T-1"}).headers["x-request-id"] == "T-1"
    assert _post(port, ONE, **{"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/classify", ONE), ("/v1/sentiment", {"texts": ["不错", "差"]})],
    ids=["classify", "sentiment"],
)
def test_refusals_are_counted(port: int, path: str, body: object) -> None:
    counted = {"method": "POST", "route": path, "status": "429"}
    names = (("nlp_requests_total", counted), ("nlp_refused_total", {"reason": "queue_full"}))
    before = [REGISTRY.get_sample_value(*name) or 0.0 for name in names]
    handled = _handled(path)
    assert _post(port, body, path).status_code == 429
    assert [REGISTRY.get_sample_value(*name) for name in names] == [value + 1 for value in before]
    assert _handled(path) == handled


@pytest.mark.usefixtures("full")
def test_one_line_is_logged_for_many_refusals(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TELL_SECONDS", 0.5)
    time.sleep(1.1)  # what tests before this one were refused is told
    with capture_logs() as lines:
        for _ in range(5):
            _post(port, ONE)
        time.sleep(1.0)
    told = [line for line in lines if line["event"] == "requests refused"]
    assert sum(line["requests"] for line in told) == 5
    assert len(told) < 5


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("texts", [FEW, {"tickets": [{"text": "字" * 1900}] * 12}], ids=["small", "large"])
def test_a_batch_that_has_room_comes_in(port: int, texts: dict[str, list[object]]) -> None:
    answer = _post(port, texts)
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == len(texts["tickets"])


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b'{"tickets": 7}', 429), (b'{"texts": []}', 422), (b"[" * 60_000, 400), (b"\xff", 400), (b"", 422)],
    ids=["no JSON", "no list", "no tickets", "deep", "no UTF-8", "nothing"],
)
def test_nonsense_is_told_as_ever(port: int, body: bytes, status: int) -> None:
    answer = httpx.post(
        f"http://{HOST}:{port}/v1/classify",
        content=body,
        headers={"Content-Type": "application/json"},
        timeout=PATIENCE,
    )
    assert answer.status_code == status


@pytest.mark.usefixtures("full")
def test_what_is_not_computed_is_not_refused(port: int) -> None:
    assert httpx.get(f"http://{HOST}:{port}/livez").status_code == 200
    assert httpx.get(f"http://{HOST}:{port}/v1/classify").status_code == 405
    assert httpx.get(f"http://{HOST}:{port}/v1/knowledge").status_code == 200


def test_a_connection_outlives_its_refusals(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    statuses = []
    for tokens in (MANY_TOKENS, MANY_TOKENS, 0, MANY_TOKENS, 0):
        time.sleep(10 * door.KEPT_SECONDS)
        with monkeypatch.context() as patched:
            patched.setattr(Waiting, "tokens_before", lambda *_, tokens=tokens: tokens)
            connection.request("POST", "/v1/classify", json.dumps(ONE), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
    connection.close()
    assert statuses == [429, 429, 200, 429, 200]


@pytest.mark.usefixtures("full")
def test_requests_that_are_sent_together_are_answered_in_turn(port: int) -> None:
    one, few = json.dumps(ONE).encode(), json.dumps(FEW).encode()
    with create_connection((HOST, port), timeout=PATIENCE) as connection:
        connection.sendall(_request(one) + one + _request(few) + few + _request(one, "Connection: close") + one)
        received = b""
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 429") == 2
    assert received.count(b"HTTP/1.1 200") == 1
    assert received.index(b"HTTP/1.1 429") < received.index(b"HTTP/1.1 200") < received.rindex(b"HTTP/1.1 429")


@pytest.mark.usefixtures("full")
def test_a_caller_that_asks_first_is_asked_for_the_body(port: int) -> None:
    body = json.dumps(ONE).encode()
    with create_connection((HOST, port), timeout=PATIENCE) as connection:
        connection.sendall(_request(body, "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert _read(connection)[0].status == 429


@pytest.mark.usefixtures("full")
def test_a_body_in_parts_is_waited_for_but_not_for_ever(port: int) -> None:
    body = json.dumps(ONE).encode()
    with create_connection((HOST, port), timeout=PATIENCE) as connection:
        connection.sendall(_request(body) + body[:9])
        time.sleep(0.05)
        connection.sendall(body[9:])
        assert _read(connection)[0].status == 429
        connection.sendall(_request(body) + body[:9])
        response, document = _read(connection)
        assert (response.status, document["status"]) == (408, 408)
        assert connection.recv(1) == b""


def test_searches_are_refused_at_the_door_as_well(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: SearchQueue) -> None:
        raise Overloaded.queue_full(3.0, 2.0)

    before = _handled("/v1/search")
    with monkeypatch.context() as patched:
        patched.setattr(SearchQueue, "check_room", full)
        assert _post(port, {"query": "登不上"}, "/v1/search").status_code == 429
    assert _handled("/v1/search") == before
    assert _post(port, {"query": "登不上"}, "/v1/search").status_code == 200


def test_a_body_that_comes_when_there_is_room_again_is_let_in(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(ONE).encode()
    with create_connection((HOST, port), PATIENCE) as connection:
        with monkeypatch.context() as patched:
            patched.setattr(Waiting, "tokens_before", lambda *_: MANY_TOKENS)
            connection.sendall(_request(body))
            time.sleep(0.1)
        connection.sendall(body)
        assert _read(connection)[0].status == 200


@pytest.mark.usefixtures("full")
def test_a_slow_request_behind_a_refusal_is_answered(
    running: tuple[uvicorn.Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, port = running
    monkeypatch.setattr(server.config, "timeout_keep_alive", SLOW_SECONDS / 5)
    body = json.dumps(ONE).encode()
    with create_connection((HOST, port), PATIENCE) as connection:
        connection.sendall(_request(body) + body + b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = b""
        while b"done" not in answers:
            part = connection.recv(65536)
            assert part
            answers += part
    assert answers.startswith(b"HTTP/1.1 429")


def test_a_refusal_leaves_nothing_to_the_garbage_collector() -> None:
    def full(texts: int) -> None:
        raise Overloaded.queue_full(3.0 + texts, 2.0)

    async def refuse(times: int) -> int:
        shut = door.Door({"/v1/classify": door.Room(full, "tickets")})
        body = json.dumps(ONE).encode()
        gc.collect()
        for _ in range(times):
            why = shut.shut(b"/v1/classify")
            assert why is not None
            assert shut.refusal(b"/v1/classify", body, [], why, 0.0) is not None
        return gc.collect()

    gc.disable()
    try:
        assert asyncio.run(refuse(300)) - asyncio.run(refuse(100)) < 200
    finally:
        gc.enable()
