"""GET /v1/knowledge/export."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.knowledge.formats.export import PAGE
from tests.api.expectations import fields_of, problem_of

EXPORT, IMPORT = "/v1/knowledge/export", "/v1/knowledge/import"
HARD: dict[str, Any] = {
    "title": "=1+1 👩‍💻",
    "problem": '他说 "超时",\n然后退出',
    "scenario": "-在家",
    "solution": "+重启;'=x",
    "tags": ["a;b", "@网络"],
    "product": "课堂",
    "external_id": "KB-1",
    "status": "published",
}
SHORT: dict[str, Any] = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。", "product": "报表"}


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    """Two articles, one with everything that is hard to carry."""
    for article in (HARD, SHORT):
        client.post("/v1/knowledge", json=article)
    return client


def _titles(client: TestClient, **query: str) -> list[str]:
    text = client.get(EXPORT, params=query).text
    return [json.loads(line)["title"] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("query", "media_type", "name"),
    [
        ({}, "application/x-ndjson; charset=utf-8", "knowledge.jsonl"),
        ({"format": "jsonl"}, "application/x-ndjson; charset=utf-8", "knowledge.jsonl"),
        ({"format": "csv"}, "text/csv; charset=utf-8", "knowledge.csv"),
    ],
)
def test_an_export_is_a_download(filled: TestClient, query: dict[str, str], media_type: str, name: str) -> None:
    headers = filled.get(EXPORT, params=query).headers
    assert headers["content-type"] == media_type
    assert headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_what_is_exported_can_be_imported_again_unchanged(filled: TestClient, form: str) -> None:
    before = filled.get(EXPORT, params={"format": form}).content
    answer = filled.post(IMPORT, files={"file": (f"a.{form}", before, "text/plain")})
    assert answer.json() == {"created": 0, "updated": 0, "unchanged": 2, "rejected": []}
    assert filled.get(EXPORT, params={"format": form}).content == before


def test_a_line_has_the_fields_that_import_reads(filled: TestClient) -> None:
    assert json.loads(filled.get(EXPORT).text.splitlines()[0]) == HARD


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"status": "published"}, [HARD["title"]]),
        ({"product": "报表"}, [SHORT["title"]]),
        ({"product": "报表", "status": "published"}, []),
    ],
)
def test_a_selection_may_be_exported(filled: TestClient, query: dict[str, str], titles: list[str]) -> None:
    assert _titles(filled, **query) == titles


def test_more_articles_than_a_page_are_exported_in_order(client: TestClient) -> None:
    titles = [f"第{number}篇" for number in range(PAGE + 1)]
    articles = [{**SHORT, "title": title, "external_id": title} for title in titles]
    assert client.post(IMPORT, json={"articles": articles}).json()["created"] == PAGE + 1
    assert _titles(client) == titles


def test_an_empty_knowledge_base_is_an_empty_file(client: TestClient) -> None:
    answer = client.get(EXPORT)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("field", "value"), [("format", "xml"), ("status", "new"), ("product", ""), ("product", "\x00"), ("limit", "1")]
)
def test_a_wrong_query_names_the_field(service: TestClient, field: str, value: str) -> None:
    document = problem_of(service.get(EXPORT, params={field: value}), 422)
    assert {name.rpartition(".")[2] for name in fields_of(document)} == {field}
