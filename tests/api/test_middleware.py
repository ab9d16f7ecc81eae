"""Limits around every body: its size, its content type."""

import asyncio
import gzip
import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from nlp_service.api.middleware import BodyLimits
from tests.api.expectations import fields_of, problem_of

LIMIT = 2 * 1024 * 1024
JSON = {"Content-Type": "application/json"}


def _body(size: int) -> bytes:
    """A valid request of exactly `size` bytes."""
    return json.dumps({"texts": ["fine"]}).encode().ljust(size)


def _in_chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


def test_a_body_of_exactly_the_limit_is_read(service: TestClient) -> None:
    assert service.post("/v1/sentiment", content=_body(LIMIT), headers=JSON).status_code == 200


def test_a_body_over_the_limit_is_refused(service: TestClient) -> None:
    response = service.post("/v1/sentiment", content=_body(LIMIT + 1), headers=JSON)
    assert "2,097,152" in problem_of(response, 413)["detail"]


def test_a_chunked_body_of_exactly_the_limit_is_read(service: TestClient) -> None:
    response = service.post("/v1/sentiment", content=_in_chunks(_body(LIMIT)), headers=JSON)
    assert "content-length" not in response.request.headers
    assert response.status_code == 200


def test_a_chunked_body_over_the_limit_is_refused(service: TestClient) -> None:
    response = service.post("/v1/sentiment", content=_in_chunks(_body(LIMIT + 1)), headers=JSON)
    assert "content-length" not in response.request.headers
    assert "2,097,152" in problem_of(response, 413)["detail"]


@pytest.mark.parametrize("declared", [False, True])
def test_an_upload_over_the_limit_is_refused(service: TestClient, declared: bool) -> None:
    body = b"x" * (LIMIT + 1)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = service.post("/v1/knowledge/import", content=body if declared else _in_chunks(body), headers=headers)
    problem_of(response, 413)


def test_a_patch_over_the_limit_is_refused(service: TestClient) -> None:
    problem_of(service.patch("/v1/knowledge/1", content=_body(LIMIT + 1), headers=JSON), 413)


@pytest.mark.parametrize("encoding", ["gzip", "Deflate", "br", "gzip, gzip"])
def test_a_compressed_body_is_refused_and_not_unpacked(service: TestClient, encoding: str) -> None:
    bomb = gzip.compress(_body(LIMIT))
    response = service.post("/v1/sentiment", content=bomb, headers={**JSON, "Content-Encoding": encoding})
    assert "Content-Encoding" in problem_of(response, 415)["detail"]
    assert response.headers["Accept-Encoding"] == "identity"


def test_a_body_that_says_it_is_not_compressed_is_read(service: TestClient) -> None:
    headers = {**JSON, "Content-Encoding": "identity"}
    assert service.post("/v1/sentiment", content=_body(100), headers=headers).status_code == 200


def test_reading_stops_at_the_limit() -> None:
    read: list[int] = []

    async def receive() -> Message:
        read.append(10)
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    assert _status_without_the_application(receive, limit=35) == 413
    assert sum(read) == 40


def test_half_a_body_is_not_taken_for_a_whole_one() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    assert _status_without_the_application(receive, limit=35) == 499


def _status_without_the_application(receive: Receive, limit: int) -> int:
    """What a request is answered that the application must not see."""
    sent: list[Message] = []

    async def unreachable(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("the application must not see the body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/sentiment",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(BodyLimits(unreachable, max_bytes=limit, uploads=[])(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "given",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/xml", ""],
)
def test_a_body_that_is_not_json_is_refused(service: TestClient, given: str) -> None:
    response = service.post("/v1/sentiment", content=_body(100), headers={"Content-Type": given})
    assert "application/json" in problem_of(response, 415)["detail"]


def test_a_body_without_a_content_type_is_refused(service: TestClient) -> None:
    response = service.post("/v1/sentiment", content=_body(100))
    assert "content-type" not in response.request.headers
    problem_of(response, 415)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}], ids=["none", "another"])
def test_a_call_without_a_body_needs_no_content_type(service: TestClient, headers: dict[str, str]) -> None:
    document = problem_of(service.post("/v1/sentiment", headers=headers), 422)
    assert fields_of(document) == {"body"}


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "Application/JSON"])
def test_spellings_of_json_are_read(service: TestClient, given: str) -> None:
    assert service.post("/v1/sentiment", content=_body(100), headers={"Content-Type": given}).status_code == 200


def test_an_import_of_another_type_names_both_that_are_read(service: TestClient) -> None:
    response = service.post("/v1/knowledge/import", content=b"a,b", headers={"Content-Type": "text/csv"})
    detail = problem_of(response, 415)["detail"]
    assert "application/json" in detail
    assert "multipart/form-data" in detail
