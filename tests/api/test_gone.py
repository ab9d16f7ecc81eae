"""Nothing is computed for callers that have gone."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.batching import Batcher
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.api.listening import PATIENCE, listening
from tests.gate import Gate

BODIES = {
    "/v1/classify": '{"tickets": [{"text": "调用方走了"}]}',
    "/v1/sentiment": '{"texts": ["调用方走了"]}',
    "/v1/search": '{"query": "调用方走了"}',
    "/v1/embeddings": '{"model": "search", "input": ["调用方走了"]}',
}


@pytest.fixture
def gate(engine: Engine) -> Gate:
    return Gate(engine.search.encoder)


@pytest.fixture
def batcher(gate: Gate) -> Iterator[Batcher]:
    made = Batcher(gate)
    yield made
    gate.go.set()
    made.close()


@pytest.fixture
def port(settings: Settings, engine: Engine, batcher: Batcher) -> Iterator[int]:
    """Where a server listens whose search and heads wait for the gate."""
    feedback = engine.heads["classify"].bundle.encoder.fingerprint
    app = create_app(settings, Engine(batcher, {feedback: batcher}, engine.heads))
    with listening(app) as (_, started):
        yield started


@contextmanager
def _asking(port: int, path: str) -> Iterator[None]:
    """A request that is sent, and whose connection is closed at the end."""
    body = BODIES[path].encode()
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        yield


def _wait_for(batcher: Batcher, windows: int) -> bool:
    give_up = time.monotonic() + PATIENCE
    while batcher.waiting != windows and time.monotonic() < give_up:
        time.sleep(0.01)
    return batcher.waiting == windows


@pytest.mark.parametrize("path", BODIES)
def test_what_a_caller_that_left_asked_for_is_not_computed(port: int, batcher: Batcher, gate: Gate, path: str) -> None:
    first = batcher.submit(["正在计算"]).vectors
    assert gate.begun.wait(PATIENCE)
    with _asking(port, path):
        assert _wait_for(batcher, 1)
    assert _wait_for(batcher, 0)
    gate.go.set()
    first.result(PATIENCE)
    assert sum(map(len, gate.batches)) == 1


def test_one_that_stays_is_answered(client: TestClient) -> None:
    assert client.post("/v1/sentiment", content=BODIES["/v1/sentiment"]).status_code == 415
    headers = {"Content-Type": "application/json"}
    answers = [client.post(path, content=body, headers=headers).status_code for path, body in BODIES.items()]
    assert answers == [200] * len(BODIES)
