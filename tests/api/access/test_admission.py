"""Who is admitted, and what the others are told."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from starlette.types import Message, Scope

from nlp_service.access.keys import NewKey
from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.access.keys import SECRET, bearer, make_keys
from tests.api.expectations import Answer, fields_of, problem_of

TICKET = {"tickets": [{"text": "又闪退了"}]}


@pytest.fixture
def in_development(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    """A service on loopback in development, with a secret."""
    with TestClient(create_app(settings.model_copy(update={"secret": SECRET}), engine)) as started:
        yield started


def _call(app: FastAPI, path: str, headers: dict[str, str], server: tuple[str, int]) -> tuple[list[Message], int]:
    """What a request for analysis is answered, and how often its body was asked for."""
    sent: list[Message] = []
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"{}"} if asked == 1 else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"content-type": "application/json", **headers}
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        "server": server,
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))
    return sent, asked


def _app(client: TestClient) -> FastAPI:
    assert isinstance(client.app, FastAPI)
    return client.app


@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "authorization: bearer {}", "X-API-Key: {}"])
def test_a_key_is_read_from_either_header(guarded: TestClient, keys: dict[str, str], header: str) -> None:
    name, _, value = header.format(keys["classify"]).partition(": ")
    assert guarded.post("/v1/classify", json=TICKET, headers={name: value}).status_code == 200


def test_another_kind_of_authorization_does_not_hide_the_key(guarded: TestClient, keys: dict[str, str]) -> None:
    headers = {"Authorization": "Basic dTpw", "X-API-Key": keys["classify"]}
    assert guarded.post("/v1/classify", json=TICKET, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "key",
    [b"x", b"nlp_000000000000_" + b"A" * 43, b"nlp_000000000000_" + b"A" * 44, b"\xe9", b"A" * 20_000],
    ids=["short", "unknown", "too long", "not ASCII", "endless"],
)
def test_a_wrong_key_is_refused_and_told_so(guarded: TestClient, key: bytes) -> None:
    answer = guarded.post("/v1/classify", headers=[(b"x-api-key", key)])
    problem_of(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_all_that_is_wrong_is_told_the_same(guarded: TestClient, keys: dict[str, str]) -> None:
    wrong = [keys["models"][:-1] + "~", keys["models"][:-1], "nlp_000000000000_" + "A" * 43, keys["revoked"]]
    answers = [guarded.get("/v1/models", headers=bearer(key)) for key in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_a_missing_scope_is_named_in_the_challenge(guarded: TestClient, keys: dict[str, str]) -> None:
    answer = guarded.get("/v1/models", headers=bearer(keys["search"]))
    assert answer.headers["www-authenticate"].endswith('error="insufficient_scope", scope="models"')


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("wrong", 401), ("search", 403)])
def test_nothing_is_read_of_a_refused_body(guarded: TestClient, keys: dict[str, str], key: Any, status: int) -> None:
    headers = {} if key is None else bearer(keys.get(key, "wrong"))
    sent, asked = _call(_app(guarded), "/v1/classify", headers, ("10.0.0.1", 80))
    assert (sent[0]["status"], asked) == (status, 0)


def test_in_production_an_own_address_needs_a_key_too(guarded: TestClient) -> None:
    sent, _ = _call(_app(guarded), "/v1/classify", {}, ("127.0.0.1", 80))
    assert sent[0]["status"] == 401


def test_in_production_there_are_no_web_sockets(guarded: TestClient) -> None:
    async def call() -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await _app(guarded)({"type": "websocket", "path": "/", "headers": [], "query_string": b""}, receive, send)
        return sent

    assert asyncio.run(call()) == [{"type": "websocket.close", "code": 1008}]


class TestInDevelopment:
    def test_no_key_is_needed(self, in_development: TestClient) -> None:
        assert in_development.post("/v1/classify", json=TICKET).status_code == 200

    def test_a_key_that_is_given_counts(self, in_development: TestClient, settings: Settings) -> None:
        (key,) = make_keys(settings.model_copy(update={"secret": SECRET}), NewKey("李工", ["search"], 1))
        problem_of(in_development.get("/v1/models", headers=bearer(key)), 403)

    def test_a_wrong_key_is_refused(self, in_development: TestClient) -> None:
        problem_of(in_development.get("/v1/models", headers=bearer("wrong")), 401)

    def test_without_a_secret_keys_are_not_looked_at(self, client: TestClient) -> None:
        assert client.get("/v1/models", headers=bearer("anything")).status_code == 200

    @pytest.mark.parametrize("server", ["10.0.0.1", "192.168.1.7", "fd00::1", "0.0.0.0"])  # noqa: S104
    def test_a_request_by_an_address_that_others_reach_is_refused(self, client: TestClient, server: str) -> None:
        sent, asked = _call(_app(client), "/v1/classify", {}, (server, 80))
        assert (sent[0]["status"], asked) == (403, 0)

    @pytest.mark.parametrize("server", ["127.0.0.1", "127.1.2.3", "::1"])
    def test_a_request_by_an_own_address_is_not(self, client: TestClient, server: str) -> None:
        sent, _ = _call(_app(client), "/v1/classify", {}, (server, 80))
        assert sent[0]["status"] == 422

    @pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver.evil.example", "null", "", "["])
    def test_a_request_from_a_page_of_another_site_is_refused(self, client: TestClient, origin: str) -> None:
        answer = client.post("/v1/models/classify/reload", headers={"Origin": origin})
        assert "pages of other sites" in problem_of(answer, 403)["detail"]

    def test_a_request_from_a_page_of_its_own_is_not(self, client: TestClient) -> None:
        assert client.get("/v1/models", headers={"Origin": "http://testserver"}).status_code == 200

    def test_a_step_without_a_name_still_names_the_field(self, client: TestClient) -> None:
        assert fields_of(problem_of(client.post("/v1/knowledge/1/submit", json={}), 422)) == {"by"}


def test_when_keys_cannot_be_read_nobody_is_admitted(settings: Settings, engine: Engine) -> None:
    production = settings.model_copy(update={"environment": "production", "secret": SECRET})
    (key,) = make_keys(production, NewKey("李工", ["models"], 1))
    with TestClient(create_app(production, engine)) as client:
        with client.app.state.database.engine.begin() as connection:  # type: ignore[attr-defined]
            connection.execute(text("ALTER TABLE api_keys RENAME TO gone"))
        answer = client.get("/v1/models", headers=bearer(key))
    problem_of(answer, 503)
    assert answer.headers["retry-after"] == "2"


@pytest.fixture(scope="module")
def answers(guarded: TestClient, keys: dict[str, str]) -> list[Answer]:
    """Three requests with a key for two a minute."""
    return [guarded.get("/v1/models", headers=bearer(keys["slow"])) for _ in range(3)]


class TestRates:
    def test_the_one_too_many_is_refused(self, answers: list[Answer]) -> None:
        assert [answer.status_code for answer in answers] == [200, 200, 429]

    def test_the_refusal_names_the_limit_and_when_to_come_back(self, answers: list[Answer]) -> None:
        assert "2 requests a minute" in problem_of(answers[-1], 429)["detail"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 30

    def test_every_answer_says_what_is_left(self, answers: list[Answer]) -> None:
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=2;w=60'}

    def test_a_request_without_the_scope_counts_too(self, guarded: TestClient, keys: dict[str, str]) -> None:
        answer = guarded.post("/v1/classify", json=TICKET, headers=bearer(keys["search"]))
        assert "ratelimit" in answer.headers

    def test_a_request_without_a_key_has_no_rate(self, guarded: TestClient) -> None:
        assert "ratelimit" not in guarded.get("/v1/models").headers
