"""A service whose index is still being built answers by words, and says so."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.settings import Settings
from tests.held import rebuilding_service

ARTICLE = ArticleCreate(title="网课声音卡顿", problem="声音一卡一卡", solution="关闭云盘同步")


@pytest.fixture
def rebuilding(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    with rebuilding_service(settings, engine, ARTICLE) as started:
        yield started


@pytest.mark.parametrize("mode", ["lexical", "hybrid", "dense"])
def test_search_answers_by_words_and_says_so(rebuilding: TestClient, mode: str) -> None:
    answer = rebuilding.post("/v1/search", json={"query": "声音", "mode": mode}).json()
    assert ([hit["title"] for hit in answer["hits"]], answer["degraded"]) == ([ARTICLE.title], "rebuilding")


def test_the_service_is_ready_and_says_so(rebuilding: TestClient) -> None:
    answer = rebuilding.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, "rebuilding")


def test_a_service_with_whole_indexes_is_not_degraded(service: TestClient) -> None:
    searched = service.post("/v1/search", json={"query": "声音"})
    assert (searched.json()["degraded"], service.get("/readyz").json()["degraded"]) == (None, None)
