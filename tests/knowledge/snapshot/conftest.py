"""A saved knowledge base, and processes that open it. PostgreSQL is tested where it differs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.relevance import Mode
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from tests.knowledge.conftest import new_article

STATUSES = ("draft", "in_review", "published")
ARTICLES = [
    new_article(external_id="vpn", title="出差时连不上公司内网", problem="VPN 客户端提示 E2107，握手超时"),
    new_article(external_id="invoice", title="如何开具增值税发票", problem="订单完成后找不到开票入口"),
    new_article(external_id="printer", title="打印机脱机无法打印", problem="点击打印没有反应，队列里一直显示脱机"),
]
Find = Callable[..., list[tuple[str | None, float]]]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def store(database: Database, engine: Engine) -> ArticleStore:
    return ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def searches(database: Database, folder: Path) -> Searches:
    """A process that has opened nothing yet."""
    return Searches(database, folder, STATUSES)


@pytest.fixture
def snapshot(database: Database, folder: Path, store: ArticleStore, engine: Engine) -> Path:
    """The folder of a snapshot of three articles."""
    store.import_articles(ARTICLES)
    Searches(database, folder, STATUSES).rebuild(engine, lambda _done, _total: None)
    (saved,) = (one for one in (folder / engine.search_model.fingerprint).iterdir() if one.is_dir())
    return saved


@pytest.fixture
def find(engine: Engine) -> Find:
    """Searches for external ids with scores."""

    def found(search: KnowledgeSearch, query: str, mode: Mode = "hybrid") -> list[tuple[str | None, float]]:
        vector = normalise(engine.encode_query(query))
        hits = search.search(query, vector, top_k=10, mode=mode, filters=Filters())
        return [(hit.document.external_id, round(hit.score, 5)) for hit in hits]

    return found
