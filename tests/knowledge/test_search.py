"""Search: every mode on real vectors, filters, and indexes that keep up with the database."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import delete, select

from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleUpdate
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.relevance import UNFITTED, Mode
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleVector
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, new_article

STATUSES = ("draft", "in_review", "published")
NO_FILTERS: Mapping[str, str] = MappingProxyType({})
MODES: list[Mode] = ["hybrid", "dense", "lexical"]
ARTICLES = [
    new_article(
        external_id="vpn",
        title="出差时连不上公司内网",
        problem="VPN 客户端提示 E2107，握手超时",
        solution="更新客户端，改用 443 端口",
        tags=["网络", "VPN"],
        product="远程办公",
        status="published",
    ),
    new_article(
        external_id="invoice",
        title="如何开具增值税发票",
        problem="订单完成后找不到开票入口",
        solution="在订单详情里点申请开票，填写抬头和税号",
        tags=["财务"],
        product="商城",
        status="published",
    ),
    new_article(
        external_id="printer",
        title="打印机脱机无法打印",
        problem="点击打印没有反应，队列里一直显示脱机",
        solution="重启打印服务，取消脱机使用打印机",
        tags=["硬件", "网络"],
        product="办公套件",
        status="draft",
    ),
]


class Searcher:
    """A process: its own indexes over the shared database."""

    def __init__(self, engine: Engine, knowledge: KnowledgeSearch) -> None:
        self.knowledge = knowledge
        self._engine = engine

    def find(
        self, query: str, mode: Mode = "hybrid", top_k: int = 10, filters: Mapping[str, str] = NO_FILTERS
    ) -> list[str | None]:
        """External ids of what is found, the best first."""
        return [external_id for external_id, _ in self.scores(query, mode, top_k, filters)]

    def scores(
        self, query: str, mode: Mode = "hybrid", top_k: int = 10, filters: Mapping[str, str] = NO_FILTERS
    ) -> list[tuple[str | None, float]]:
        """External ids and scores of what is found, the best first."""
        values = {name: frozenset(value.split()) for name, value in filters.items()}
        chosen = Filters(**values)  # type: ignore[arg-type] # no test here names a moment
        hits = self.knowledge.search(query, self.vector(query), top_k=top_k, mode=mode, filters=chosen)
        return [(hit.document.external_id, hit.score) for hit in hits]

    def vector(self, query: str) -> NDArray[np.float32]:
        """The query's vector, of length 1."""
        vector: NDArray[np.float32] = normalise(self._engine.encode_query(query))[0]
        return vector


def _searcher(
    engine: Engine, database: Database, encoder: RecordingEncoder, fingerprint: str = FINGERPRINT
) -> Searcher:
    dimension = engine.search_model.dimension
    return Searcher(engine, KnowledgeSearch(database, encoder, fingerprint, dimension, STATUSES, UNFITTED))


@pytest.fixture
def searcher(engine: Engine, database: Database, encoder: RecordingEncoder, store: ArticleStore) -> Searcher:
    """Indexes over three articles."""
    store.import_articles(ARTICLES)
    built = _searcher(engine, database, encoder)
    built.knowledge.rebuild()
    return built


@pytest.fixture
def other(searcher: Searcher, engine: Engine, database: Database, encoder: RecordingEncoder) -> Searcher:
    """A second process on the same database, up to date before the test changes anything."""
    assert len(searcher.knowledge) == len(ARTICLES)
    built = _searcher(engine, database, encoder)
    built.knowledge.rebuild()
    return built


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "best"), [("怎么开发票", "invoice"), ("打印机没反应", "printer"), ("VPN 超时", "vpn")]
)
def test_the_right_article_comes_first(searcher: Searcher, mode: Mode, query: str, best: str) -> None:
    assert searcher.find(query, mode)[0] == best


def test_dense_search_finds_what_shares_no_word(searcher: Searcher) -> None:
    assert searcher.find("票据报销凭证在哪申请", "dense")[0] == "invoice"


def test_dense_search_orders_by_cosine(searcher: Searcher, engine: Engine) -> None:
    passages = ["\n".join([a.title, a.problem]) for a in ARTICLES]
    cosines = engine.encode_passages(passages) @ searcher.vector("打印机没反应")
    nearest = [("vpn", "invoice", "printer")[place] for place in np.argsort(-cosines)]
    assert searcher.find("打印机没反应", "dense") == nearest


def test_lexical_search_finds_a_code_exactly(searcher: Searcher) -> None:
    assert searcher.find("e2107", "lexical") == ["vpn"]


def test_lexical_search_finds_nothing_without_a_common_word(searcher: Searcher) -> None:
    assert searcher.find("屏幕花屏", "lexical") == []


@pytest.mark.parametrize("query", ["硬件", "办公套件"])
def test_lexical_search_covers_tags_and_product(searcher: Searcher, query: str) -> None:
    assert "printer" in searcher.find(query, "lexical")


def test_lexical_search_needs_no_vector(searcher: Searcher) -> None:
    hits = searcher.knowledge.search("发票", None, top_k=3, mode="lexical", filters=Filters())
    assert [hit.document.external_id for hit in hits] == ["invoice"]


def test_dense_search_needs_a_vector(searcher: Searcher) -> None:
    with pytest.raises(ValueError, match="vector"):
        searcher.knowledge.search("发票", None, top_k=3, mode="dense", filters=Filters())


def test_highlights_may_be_left_out(searcher: Searcher) -> None:
    found = [
        searcher.knowledge.search("打印机脱机", None, top_k=1, mode="lexical", highlighted=wanted)[0]
        for wanted in (True, False)
    ]
    assert [bool(hit.highlights) for hit in found] == [True, False]
    assert found[0].score == found[1].score


def test_first_in_both_rankings_scores_one(searcher: Searcher) -> None:
    assert dict(searcher.scores("打印机脱机无法打印"))["printer"] == pytest.approx(1.0, abs=1e-4)


def test_an_answer_that_is_stored_twice_is_as_probable(searcher: Searcher, store: ArticleStore) -> None:
    query = "出差连不上内网怎么办"
    once = dict(searcher.scores(query))["vpn"]
    twin = ARTICLES[0].model_copy(update={"external_id": "twin", "title": "出差时连不上公司内网了"})
    store.import_articles([twin])
    twice = dict(searcher.scores(query))
    assert min(twice["vpn"], twice["twin"]) > 0.8 * once


def test_hybrid_search_covers_what_either_finds(searcher: Searcher) -> None:
    assert set(searcher.find("e2107")) == {"vpn", "invoice", "printer"}


@pytest.mark.parametrize("mode", MODES)
def test_no_more_than_top_k_are_found(searcher: Searcher, mode: Mode) -> None:
    assert len(searcher.find("打印 发票", mode, top_k=1)) == 1


def test_a_hit_shows_where_the_query_occurs(searcher: Searcher) -> None:
    (hit,) = searcher.knowledge.search("发票", None, top_k=1, mode="lexical", filters=Filters())
    assert [(h.field, [h.text[a:b] for a, b in h.spans]) for h in hit.highlights] == [("title", ["发票"])]


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"product": "商城"}, {"invoice"}),
        ({"product": "商城 远程办公"}, {"invoice", "vpn"}),
        ({"tags": "网络"}, {"vpn", "printer"}),
        ({"tags": "财务 VPN"}, {"invoice", "vpn"}),
        ({"tags": "vpn"}, set()),
        ({"status": "draft"}, {"printer"}),
        ({"tags": "网络", "status": "published"}, {"vpn"}),
        ({"kind": "article"}, {"vpn", "invoice", "printer"}),
        ({"kind": "ticket"}, set()),
        ({"product": "没有这个"}, set()),
    ],
)
def test_filters_hold_together_with_any_of_their_values(
    searcher: Searcher, mode: Mode, filters: dict[str, str], expected: set[str]
) -> None:
    assert set(searcher.find("打不开", mode, filters=filters)) == expected


def test_a_filter_never_starves_the_best_k(searcher: Searcher) -> None:
    assert searcher.find("怎么开发票", "dense", top_k=1, filters={"product": "办公套件"}) == ["printer"]


@pytest.mark.parametrize("status", ["rejected", "archived"])
def test_rejected_and_archived_articles_are_not_found_unless_asked_for(
    searcher: Searcher, store: ArticleStore, status: str
) -> None:
    store.import_articles([new_article(external_id="old", title="旧的发票说明", status=status)])
    assert ("old" in searcher.find("发票"), searcher.find("发票", filters={"status": status})) == (False, ["old"])


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_knowledge_base_finds_nothing(
    engine: Engine, database: Database, encoder: RecordingEncoder, mode: Mode
) -> None:
    empty = _searcher(engine, database, encoder)
    empty.knowledge.rebuild()
    assert empty.find("发票", mode) == []


def test_a_created_article_is_found_by_the_next_search_of_another_process(other: Searcher, store: ArticleStore) -> None:
    store.create(new_article(external_id="camera", title="摄像头画面黑屏"))
    assert other.find("摄像头黑屏")[0] == "camera"


def test_an_updated_article_is_found_by_its_new_text_only(other: Searcher, store: ArticleStore) -> None:
    (invoice,) = (article for article in store.page()[0] if article.external_id == "invoice")
    store.update(invoice.id, ArticleUpdate(title="摄像头黑屏", problem="没有画面", solution="重新插拔"))
    assert (other.find("摄像头", "lexical"), other.find("发票", "lexical")) == (["invoice"], [])


def test_an_updated_article_is_found_by_its_new_vector(other: Searcher, store: ArticleStore) -> None:
    (invoice,) = (article for article in store.page()[0] if article.external_id == "invoice")
    store.update(invoice.id, ArticleUpdate(title="摄像头黑屏", problem="没有画面", solution="重新插拔"))
    assert other.find("摄像头黑屏，没有画面", "dense")[0] == "invoice"


def test_a_changed_facet_counts_at_once(other: Searcher, store: ArticleStore) -> None:
    (printer,) = (article for article in store.page()[0] if article.external_id == "printer")
    store.update(printer.id, ArticleUpdate(status="published", product="商城"))
    assert set(other.find("打不开", "dense", filters={"product": "商城", "status": "published"})) == {
        "invoice",
        "printer",
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_deleted_article_is_gone_from_the_next_search_of_another_process(
    other: Searcher, store: ArticleStore, mode: Mode
) -> None:
    (invoice,) = (article for article in store.page()[0] if article.external_id == "invoice")
    store.delete(invoice.id)
    assert "invoice" not in other.find("怎么开发票", mode)


def test_an_import_is_followed_by_all_processes(searcher: Searcher, other: Searcher, store: ArticleStore) -> None:
    store.import_articles([new_article(external_id=f"n{number}", title=f"第{number}篇") for number in range(5)])
    assert len(searcher.find("篇", "dense")) == len(other.find("篇", "dense")) == len(ARTICLES) + 5


def test_following_uses_the_vectors_that_were_written(
    other: Searcher, store: ArticleStore, encoder: RecordingEncoder
) -> None:
    store.create(new_article())
    encoder.texts.clear()
    other.knowledge.follow()
    assert encoder.texts == []


def test_rebuilding_answers_as_before(searcher: Searcher) -> None:
    before = dict(searcher.scores("打印机没反应"))
    searcher.knowledge.rebuild()
    assert dict(searcher.scores("打印机没反应")) == pytest.approx(before)


def test_rebuilding_reports_its_progress(searcher: Searcher) -> None:
    steps: list[tuple[int, int]] = []
    searcher.knowledge.rebuild(lambda done, total: steps.append((done, total)))
    assert steps == [(len(ARTICLES), len(ARTICLES))]


def test_rebuilding_encodes_nothing_when_every_vector_is_there(searcher: Searcher, encoder: RecordingEncoder) -> None:
    encoder.texts.clear()
    searcher.knowledge.rebuild()
    assert encoder.texts == []


def test_rebuilding_computes_missing_vectors_only(
    searcher: Searcher, database: Database, store: ArticleStore, encoder: RecordingEncoder
) -> None:
    (invoice,) = (article for article in store.page()[0] if article.external_id == "invoice")
    with database.write() as session:
        session.execute(delete(ArticleVector).where(ArticleVector.record_id == invoice.id))
    encoder.texts.clear()
    searcher.knowledge.rebuild()
    assert encoder.texts == [f"{invoice.title}\n{invoice.problem}"]


def test_a_vector_of_another_text_is_computed_again(
    searcher: Searcher, database: Database, encoder: RecordingEncoder
) -> None:
    with database.write() as session:
        row = session.scalars(select(ArticleVector).limit(1)).one()
        row.content = "0" * 64
    encoder.texts.clear()
    searcher.knowledge.rebuild()
    assert len(encoder.texts) == 1


class TestAnotherEncoder:
    """The same database, opened by a version with another encoder."""

    @pytest.fixture
    def upgraded(self, searcher: Searcher, engine: Engine, database: Database, encoder: RecordingEncoder) -> Searcher:
        assert len(searcher.knowledge) == len(ARTICLES)
        encoder.texts.clear()
        built = _searcher(engine, database, encoder, fingerprint="e" * 64)
        built.knowledge.rebuild()
        return built

    def test_all_vectors_are_computed_again(self, upgraded: Searcher, encoder: RecordingEncoder) -> None:
        assert len(encoder.texts) == len(upgraded.knowledge) == len(ARTICLES)

    def test_they_are_kept_for_the_next_start(self, upgraded: Searcher, encoder: RecordingEncoder) -> None:
        encoder.texts.clear()
        upgraded.knowledge.rebuild()
        assert encoder.texts == []

    def test_those_of_both_encoders_stand_side_by_side(self, upgraded: Searcher, database: Database) -> None:
        assert len(upgraded.knowledge) == len(ARTICLES)
        with database.read() as session:
            assert set(session.scalars(select(ArticleVector.encoder))) == {FINGERPRINT, "e" * 64}
