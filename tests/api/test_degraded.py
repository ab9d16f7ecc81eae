"""A service whose index is still being built answers by words, and says so."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.tables import ArticleVector
from tests.conftest import opened
from tests.held import HeldBatcher

ARTICLE = ArticleCreate(title="网课声音卡顿", problem="声音一卡一卡", solution="关闭云盘同步")


@pytest.fixture
def rebuilding(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    """A service that has just started, with an article whose vector is being computed."""
    with opened(settings.resolved_database_url) as database:
        database.migrate()
        ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint).create(ARTICLE)
        with database.write() as session:
            session.execute(delete(ArticleVector))
    held = HeldBatcher(engine)
    with TestClient(create_app(settings, engine.searching_with(held))) as started:
        yield started
        held.go.set()
    held.close()


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
