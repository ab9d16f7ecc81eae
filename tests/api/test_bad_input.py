"""Input of every bad kind, at every endpoint that takes a body: refused with a problem that names the rule, no more."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.expectations import fields_of, problem_of

JSON = {"Content-Type": "application/json"}
CANARY = "张三13812345678"


@dataclass(frozen=True)
class Endpoint:
    """A call, its valid body with `@` where a text stands, and the name of that text."""

    name: str
    method: str
    path: str
    body: str
    field: str
    limit: int = 2000

    def with_text(self, raw: str) -> bytes:
        """The body with raw JSON in the place of the text."""
        return self.body.replace("@", raw).encode()

    def valid(self) -> dict[str, Any]:
        """A body that breaks no rule."""
        body: dict[str, Any] = json.loads(self.with_text('"fine"'))
        return body


SENTIMENT = Endpoint("sentiment", "POST", "/v1/sentiment", '{"texts": ["fine", @]}', "texts.1")
CLASSIFY = Endpoint("classify", "POST", "/v1/classify", '{"tickets": [{"text": @}]}', "tickets.0.text")
SEARCH = Endpoint("search", "POST", "/v1/search", '{"query": @}', "query")
EMBEDDINGS = Endpoint("embeddings", "POST", "/v1/embeddings", '{"input": ["fine", @]}', "input.1")
CREATE = Endpoint(
    "create", "POST", "/v1/knowledge", '{"title": @, "problem": "fine", "solution": "fine"}', "title", 200
)
UPDATE = Endpoint("update", "PATCH", "/v1/knowledge/1", '{"problem": @}', "problem")
IMPORT = Endpoint("import", "POST", "/v1/knowledge/import", '{"articles": [{"title": @}]}', "articles.0.title")
WITH_TEXT = [SENTIMENT, CLASSIFY, SEARCH, EMBEDDINGS, CREATE, UPDATE]
ALL = [*WITH_TEXT, IMPORT]
WITHOUT_EXPLANATION = [EMBEDDINGS, CREATE, UPDATE, IMPORT]

with_text = pytest.mark.parametrize("endpoint", WITH_TEXT, ids=lambda endpoint: endpoint.name)
every = pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_stored(service: TestClient) -> Iterator[None]:
    """Whatever was sent by the tests of this module, the knowledge base stays empty."""
    yield
    assert service.get("/v1/knowledge").json()["total"] == 0


def _send(client: TestClient, endpoint: Endpoint, body: bytes, status: int) -> dict[str, Any]:
    response = client.request(endpoint.method, endpoint.path, content=body, headers=JSON)
    document = problem_of(response, status)
    assert len(response.content) < 2000 + len(document.get("errors", [])) * 300
    assert CANARY not in response.text
    assert client.get("/v1/knowledge").json()["total"] == 0
    return document


BAD_TEXTS = {
    "empty": '""',
    "blank": '" \\t\\n\\u3000"',
    "null": "null",
    "object": f'{{"text": "{CANARY}"}}',
    "list": f'["{CANARY}"]',
    "number": "13812345678",
    "bool": "true",
    "NaN": "NaN",
    "infinity": "-Infinity",
    "lone surrogate": f'"{CANARY}\\ud800"',
    "NUL": f'"{CANARY}\\u0000"',
    "only emoji": '"👍🎉❤️👨‍👩‍👧"',
    "only punctuation": '"。。。？！…—,.;"',
    "only zero width": '"\\u200b\\u200d\\ufeff\\u2060"',
    "only controls": '"\\u0001\\u001f\\u007f"',
    "only combining marks": '"\\u0301\\u0302"',
    "only private use": '"\\ue000"',
}


@with_text
@pytest.mark.parametrize("raw", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_a_text_that_cannot_be_read_is_named(service: TestClient, endpoint: Endpoint, raw: str) -> None:
    assert fields_of(_send(service, endpoint, endpoint.with_text(raw), 422)) == {endpoint.field}


@with_text
@pytest.mark.parametrize("length", [1, 1_000_000], ids=["one too many", "a million"])
def test_a_text_over_the_limit_names_the_field_and_the_limit(
    service: TestClient, endpoint: Endpoint, length: int
) -> None:
    text = CANARY + "a" * (endpoint.limit - len(CANARY) + length)
    document = _send(service, endpoint, endpoint.with_text(json.dumps(text)), 422)
    assert fields_of(document) == {endpoint.field}
    assert f"{endpoint.limit}" in document["detail"].replace(",", "")


@with_text
@pytest.mark.parametrize("character", ["a", "😀", "\\n"], ids=["letter", "four bytes", "line break"])
def test_a_text_of_a_megabyte_of_one_character_names_the_field(
    service: TestClient, endpoint: Endpoint, character: str
) -> None:
    body = endpoint.with_text('"' + character * (2**20 // len(character.encode())) + '"')
    assert fields_of(_send(service, endpoint, body, 422)) == {endpoint.field}


@every
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        CANARY.encode(),
        b'{"texts": ["',
        b'{"texts": ["a"]',
        b'{"texts": ["a"],}',
        b"{'texts': ['a']}",
        b'{"texts": ["a"]} {}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"top_k": ' + b"1" * 5000 + b"}",
        b'{"texts": ["\xff\xfe"]}',
        b'{"texts": ["\xed\xa0\x80"]',
        b'\xef\xbb\xbf{"texts": ["a"]',
        b"\x00",
    ],
    ids=[
        "nothing",
        "blank",
        "plain text",
        "truncated in a text",
        "truncated behind a list",
        "trailing comma",
        "single quotes",
        "two documents",
        "100,000 opening brackets",
        "100,000 brackets",
        "100,000 objects",
        "number of 5,000 digits",
        "invalid UTF-8",
        "surrogate in UTF-8",
        "truncated behind a byte order mark",
        "NUL",
    ],
)
def test_a_body_that_is_not_json_is_refused(service: TestClient, endpoint: Endpoint, body: bytes) -> None:
    response = service.request(endpoint.method, endpoint.path, content=body, headers=JSON)
    assert response.status_code in {400, 422}
    document = problem_of(response, response.status_code)
    assert len(response.content) < 1000
    assert CANARY not in document["detail"]


@with_text
def test_a_body_in_another_encoding_than_utf_8_is_refused(client: TestClient, endpoint: Endpoint) -> None:
    body = json.dumps(endpoint.valid()).encode("utf-16")
    problem_of(client.request(endpoint.method, endpoint.path, content=body, headers=JSON), 400)


@every
@pytest.mark.parametrize(
    "body", [b"[]", b'["fine"]', b'"fine"', b"5", b"null", b"true", b"NaN"], ids=lambda body: body.decode()
)
def test_json_that_is_no_object_is_refused(service: TestClient, endpoint: Endpoint, body: bytes) -> None:
    assert fields_of(_send(service, endpoint, body, 422)) == {"body"}


@every
def test_an_empty_object_is_refused(service: TestClient, endpoint: Endpoint) -> None:
    assert fields_of(_send(service, endpoint, b"{}", 422))


@every
def test_a_surrogate_in_the_name_of_a_field_is_refused(service: TestClient, endpoint: Endpoint) -> None:
    _send(service, endpoint, b'{"\\ud800": 1}', 422)


@every
def test_an_unknown_field_is_named(service: TestClient, endpoint: Endpoint) -> None:
    body = json.dumps({**endpoint.valid(), "colour": CANARY}).encode()
    assert fields_of(_send(service, endpoint, body, 422)) == {"colour"}


@pytest.mark.parametrize("endpoint", WITHOUT_EXPLANATION, ids=lambda endpoint: endpoint.name)
def test_what_is_no_answer_of_a_model_has_no_explanation(service: TestClient, endpoint: Endpoint) -> None:
    body = json.dumps({**endpoint.valid(), "explain": True}).encode()
    assert fields_of(_send(service, endpoint, body, 422)) == {"explain"}


@every
def test_a_huge_number_in_an_unknown_field_is_refused(service: TestClient, endpoint: Endpoint) -> None:
    body = json.dumps({**endpoint.valid(), "colour": 10**4000}).encode()
    assert fields_of(_send(service, endpoint, body, 422)) == {"colour"}


@every
@pytest.mark.parametrize("given", ["text/plain", "application/xml", "application/jsonl"])
def test_another_content_type_is_refused(service: TestClient, endpoint: Endpoint, given: str) -> None:
    body = endpoint.with_text('"fine"')
    problem_of(service.request(endpoint.method, endpoint.path, content=body, headers={"Content-Type": given}), 415)


@every
def test_no_content_type_is_refused(service: TestClient, endpoint: Endpoint) -> None:
    problem_of(service.request(endpoint.method, endpoint.path, content=endpoint.with_text('"fine"')), 415)


LISTS: list[tuple[Endpoint, str, object, int]] = [
    (SENTIMENT, "texts", "fine", 256),
    (CLASSIFY, "tickets", {"text": "fine"}, 256),
    (EMBEDDINGS, "input", "fine", 256),
    (IMPORT, "articles", {}, 1000),
]
lists = pytest.mark.parametrize(("endpoint", "field", "item", "limit"), LISTS, ids=lambda value: str(value)[:20])


@lists
def test_a_list_over_the_limit_names_field_and_limit(
    service: TestClient, endpoint: Endpoint, field: str, item: object, limit: int
) -> None:
    document = _send(service, endpoint, json.dumps({field: [item] * (limit + 1)}).encode(), 422)
    assert fields_of(document) == {field}
    assert str(limit) in document["detail"]


@lists
@pytest.mark.parametrize("value", [[], None, {}, 5], ids=str)
def test_what_is_no_filled_list_is_named(
    service: TestClient, endpoint: Endpoint, field: str, item: object, limit: int, value: object
) -> None:
    assert item is not None
    assert limit
    assert fields_of(_send(service, endpoint, json.dumps({field: value}).encode(), 422)) == {field}


@pytest.mark.parametrize(
    ("endpoint", "changes", "field"),
    [
        (SENTIMENT, {"texts": "fine"}, "texts"),
        (SENTIMENT, {"explain": "false"}, "explain"),
        (SENTIMENT, {"aspects": "price"}, "aspects"),
        (SENTIMENT, {"aspects": None}, "aspects"),
        (CLASSIFY, {"tickets": ["fine"]}, "tickets.0"),
        (CLASSIFY, {"tickets": [{"text": "fine", "id": 7}]}, "tickets.0.id"),
        (CLASSIFY, {"tickets": [{"text": "fine", "id": "x" * 201}]}, "tickets.0.id"),
        (CLASSIFY, {"tickets": [{"text": "fine", "reported_as": "bug"}]}, "tickets.0.reported_as"),
        (CLASSIFY, {"tickets": [{"text": "fine", "reported_as": CANARY}]}, "tickets.0.reported_as"),
        (CLASSIFY, {"tickets": [{"text": "fine", "reported_as": ""}]}, "tickets.0.reported_as"),
        (CLASSIFY, {"tickets": [{"text": "fine", "reported_as": "x" * 201}]}, "tickets.0.reported_as"),
        (CLASSIFY, {"tickets": [{"text": "fine"}, {"text": "fine", "reported_as": "\0"}]}, "tickets.1.reported_as"),
        (CLASSIFY, {"explain": 1}, "explain"),
        (CLASSIFY, {"tickets": [{"text": "fine", "colour": CANARY}]}, "tickets.0.colour"),
        (CLASSIFY, {"tickets": [{}]}, "tickets.0.text"),
        (SEARCH, {"top_k": 0}, "top_k"),
        (SEARCH, {"top_k": 101}, "top_k"),
        (SEARCH, {"top_k": "10"}, "top_k"),
        (SEARCH, {"top_k": True}, "top_k"),
        (SEARCH, {"top_k": 1.5}, "top_k"),
        (SEARCH, {"top_k": 10**400}, "top_k"),
        (SEARCH, {"mode": CANARY}, "mode"),
        (SEARCH, {"filters": []}, "filters"),
        (SEARCH, {"filters": {"colour": "red"}}, "filters.colour"),
        (SEARCH, {"filters": {"product": []}}, "filters.product"),
        (SEARCH, {"filters": {"tags": [5]}}, "filters.tags.0"),
        (SEARCH, {"filters": {"status": "new"}}, "filters.status.0"),
        (SEARCH, {"filters": {"kind": "ticket"}}, "filters.kind.0"),
        (EMBEDDINGS, {"encoding_format": CANARY}, "encoding_format"),
        (EMBEDDINGS, {"input": [[1, 2]]}, "input.0"),
        (CREATE, {"tags": "audio"}, "tags"),
        (CREATE, {"tags": [""]}, "tags.0"),
        (CREATE, {"tags": ["t"] * 51}, "tags"),
        (CREATE, {"status": CANARY}, "status"),
        (CREATE, {"product": 5}, "product"),
        (CREATE, {"external_id": " "}, "external_id"),
        (CREATE, {"scenario": "🙂"}, "scenario"),
        (CREATE, {"solution": "s" * 10_001}, "solution"),
        (CREATE, {"id": 5}, "id"),
        (UPDATE, {"title": None}, "title"),
        (UPDATE, {"tags": None}, "tags"),
        (UPDATE, {"status": None}, "status"),
        (UPDATE, {"created_at": "2026-01-01"}, "created_at"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(
    service: TestClient, endpoint: Endpoint, changes: dict[str, object], field: str
) -> None:
    body = json.dumps({**endpoint.valid(), **changes}).encode()
    assert fields_of(_send(service, endpoint, body, 422)) == {field}


VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=8,
)
NAMES = [
    "explain",
    "aspects",
    "texts",
    "tickets",
    "text",
    "query",
    "top_k",
    "mode",
    "filters",
    "input",
    "model",
    "title",
    "articles",
    "tags",
]
BODIES = VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES | st.lists(VALUES, max_size=3), max_size=4)


@every
@given(body=BODIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_json_value_breaks_the_service(service: TestClient, endpoint: Endpoint, body: object) -> None:
    response = service.request(endpoint.method, endpoint.path, content=json.dumps(body).encode(), headers=JSON)
    assert response.status_code < 500


@every
@given(body=st.binary(max_size=200))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_bytes_break_the_service(service: TestClient, endpoint: Endpoint, body: bytes) -> None:
    response = service.request(endpoint.method, endpoint.path, content=body, headers=JSON)
    assert response.status_code in {400, 422}


@given(body=st.binary(max_size=200))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_no_file_breaks_the_import(service: TestClient, name: str, body: bytes) -> None:
    response = service.post(IMPORT.path, files={"file": (name, body, "text/plain")})
    assert response.status_code in {200, 422}
