"""POST /v1/search."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.api.expectations import fields_of, problem_of

MODES = ("hybrid", "dense", "lexical")
ARTICLES: list[dict[str, Any]] = [
    {
        "title": "网课声音卡顿的处理",
        "problem": "老师直播上课时学生听到的声音一卡一卡。",
        "solution": "关闭云盘同步，释放上行带宽。再重新进入课堂。",
        "tags": ["音频", "网络"],
        "product": "课堂",
        "status": "published",
    },
    {
        "title": "报表导出失败",
        "problem": "点击导出后提示超时。",
        "solution": "缩短时间范围后分批导出。",
        "tags": ["导出"],
        "product": "报表",
        "status": "draft",
    },
    {
        "title": "How to reset a password",
        "problem": "The user forgot the password.",
        "solution": "Open the login page and choose reset.",
        "tags": ["account", "导出"],
        "product": "账户",
        "status": "in_review",
    },
    {
        "title": "旧版客户端声音卡顿",
        "problem": "旧版声音卡顿。",
        "solution": "升级到新版。",
        "tags": ["音频"],
        "product": "课堂",
        "status": "archived",
    },
]
SOUND, EXPORT, PASSWORD, OLD = (article["title"] for article in ARTICLES)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[TestClient]:
    """The service with four articles; no test changes them."""
    home = tmp_path_factory.mktemp("library")
    (home / "var").mkdir()
    with TestClient(create_app(Settings(home=home), engine)) as started:
        started.post("/v1/knowledge/import", json={"articles": ARTICLES})
        yield started


def _hits(client: TestClient, query: str, **options: object) -> list[dict[str, Any]]:
    response = client.post("/v1/search", json={"query": query, **options})
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


def _titles(client: TestClient, query: str, **options: object) -> list[str]:
    return [hit["title"] for hit in _hits(client, query, **options)]


@pytest.mark.parametrize("mode", MODES)
def test_the_fitting_article_comes_first(library: TestClient, mode: str) -> None:
    assert _titles(library, "网课声音卡顿", mode=mode)[0] == SOUND


def test_dense_search_finds_another_wording(library: TestClient) -> None:
    assert _titles(library, "学生听不清老师讲课", mode="dense")[0] == SOUND


@pytest.mark.parametrize("mode", MODES)
def test_the_best_hit_has_the_highest_score(library: TestClient, mode: str) -> None:
    scores = [hit["score"] for hit in _hits(library, "声音卡顿 导出", mode=mode)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_scores_of_hybrid_and_dense_search_are_at_most_one(library: TestClient, mode: str) -> None:
    assert all(-1 <= hit["score"] <= 1 for hit in _hits(library, "网课声音卡顿", mode=mode))


def test_hybrid_is_the_default_mode(library: TestClient) -> None:
    assert _hits(library, "声音卡顿") == _hits(library, "声音卡顿", mode="hybrid")


def test_a_hit_carries_the_whole_article(library: TestClient) -> None:
    hit = _hits(library, "网课声音卡顿")[0]
    assert {name: hit[name] for name in ARTICLES[0]} == ARTICLES[0]


def test_a_hit_is_of_kind_article(library: TestClient) -> None:
    assert {hit["kind"] for hit in _hits(library, "声音")} == {"article"}


def test_a_hit_leads_to_the_article(library: TestClient) -> None:
    hit = _hits(library, "网课声音卡顿")[0]
    assert library.get(f"/v1/knowledge/{hit['id']}").json()["title"] == SOUND


@pytest.mark.parametrize("field", ["filters", "top_k", "mode", "min_score", "product", "module", "rerank", "explain"])
def test_null_says_the_same_as_leaving_a_field_out(library: TestClient, field: str) -> None:
    plain, null = (library.post("/v1/search", json={"query": "发票", **more}) for more in ({}, {field: None}))
    assert null.status_code == 200, null.text
    assert null.json()["hits"] == plain.json()["hits"]


def test_null_is_no_query(library: TestClient) -> None:
    assert fields_of(problem_of(library.post("/v1/search", json={"query": None}), 422)) == {"query"}


def test_the_time_taken_is_said(library: TestClient) -> None:
    assert library.post("/v1/search", json={"query": "声音"}).json()["took_ms"] > 0


@pytest.mark.parametrize("mode", MODES)
def test_top_k_limits_the_hits(library: TestClient, mode: str) -> None:
    assert len(_hits(library, "导出 password", mode=mode, top_k=1)) == 1


def test_fewer_hits_than_top_k_are_no_error(library: TestClient) -> None:
    assert len(_hits(library, "导出", mode="dense", top_k=100)) == 3


@pytest.mark.parametrize("mode", MODES)
def test_a_product_filter_holds_for_every_hit(library: TestClient, mode: str) -> None:
    assert _titles(library, "声音卡顿 导出", mode=mode, filters={"product": "报表"}) == [EXPORT]


def test_a_filter_with_several_values_takes_any_of_them(library: TestClient) -> None:
    found = _titles(library, "问题", mode="dense", filters={"product": ["报表", "账户"]})
    assert set(found) == {EXPORT, PASSWORD}


def test_a_tag_filter_holds_for_every_hit(library: TestClient) -> None:
    assert set(_titles(library, "问题", mode="dense", filters={"tags": "导出"})) == {EXPORT, PASSWORD}


def test_several_filters_hold_together(library: TestClient) -> None:
    assert _titles(library, "问题", mode="dense", filters={"tags": "导出", "product": "账户"}) == [PASSWORD]


def test_archived_articles_are_not_found_by_default(library: TestClient) -> None:
    assert OLD not in _titles(library, "旧版声音卡顿")


def test_a_status_filter_finds_archived_articles(library: TestClient) -> None:
    assert _titles(library, "旧版声音卡顿", filters={"status": "archived"}) == [OLD]


def test_the_kind_article_covers_all_articles(library: TestClient) -> None:
    assert len(_hits(library, "问题", mode="dense", filters={"kind": "article"})) == 3


def test_there_are_no_cases_yet(library: TestClient) -> None:
    assert _hits(library, "声音卡顿", filters={"kind": ["case"]}) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_that_nothing_meets_gives_no_hits(library: TestClient, mode: str) -> None:
    assert _hits(library, "声音卡顿", mode=mode, filters={"product": "没有的产品"}) == []


def test_words_that_occur_nowhere_give_no_lexical_hits(library: TestClient) -> None:
    assert _hits(library, "zyzzyva", mode="lexical") == []


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_knowledge_base_gives_no_hits(service: TestClient, mode: str) -> None:
    assert _hits(service, "声音卡顿", mode=mode) == []


def test_highlights_are_sentences_of_the_article(library: TestClient) -> None:
    hit = _hits(library, "上行带宽")[0]
    assert hit["highlights"]
    assert all(part["text"] in hit[part["field"]] for part in hit["highlights"])


def test_highlighted_places_hold_words_of_the_query(library: TestClient) -> None:
    query = "网课声音卡顿"
    hit = _hits(library, query)[0]
    marked = [part["text"][start:end] for part in hit["highlights"] for start, end in part["spans"]]
    assert marked
    assert all(word in query for word in marked)


def test_highlights_ignore_case(library: TestClient) -> None:
    hit = _hits(library, "PASSWORD")[0]
    marked = {part["text"][start:end] for part in hit["highlights"] for start, end in part["spans"]}
    assert marked == {"password"}


def test_a_hit_without_any_word_of_the_query_has_no_highlights(library: TestClient) -> None:
    assert _hits(library, "zyzzyva", mode="dense")[0]["highlights"] == []


@pytest.mark.parametrize("mode", MODES)
def test_a_new_article_is_found_at_once(client: TestClient, mode: str) -> None:
    client.post("/v1/knowledge", json=ARTICLES[0])
    assert _titles(client, "网课声音卡顿", mode=mode) == [SOUND]


def test_an_imported_article_is_found_at_once(client: TestClient) -> None:
    client.post("/v1/knowledge/import", json={"articles": ARTICLES[:2]})
    assert _titles(client, "报表导出失败")[0] == EXPORT


def test_a_changed_text_is_found_at_once(client: TestClient) -> None:
    place = client.post("/v1/knowledge", json=ARTICLES[0]).headers["location"]
    client.patch(place, json={"problem": "会议投屏时出现水印。"})
    assert _titles(client, "投屏水印", mode="lexical") == [SOUND]


def test_the_text_before_a_change_is_not_found_any_more(client: TestClient) -> None:
    place = client.post("/v1/knowledge", json=ARTICLES[0]).headers["location"]
    client.patch(place, json={"solution": "重启。"})
    assert _titles(client, "云盘同步", mode="lexical") == []


def test_a_changed_product_counts_for_filters_at_once(client: TestClient) -> None:
    place = client.post("/v1/knowledge", json=ARTICLES[0]).headers["location"]
    client.patch(place, json={"product": "会议"})
    assert _titles(client, "声音卡顿", filters={"product": "会议"}) == [SOUND]


def test_an_article_that_is_archived_leaves_the_search_at_once(client: TestClient) -> None:
    place = client.post("/v1/knowledge", json=ARTICLES[0]).headers["location"]
    client.patch(place, json={"status": "archived"})
    assert _titles(client, "声音卡顿") == []


@pytest.mark.parametrize("mode", MODES)
def test_a_deleted_article_is_gone_at_once(client: TestClient, mode: str) -> None:
    client.delete(client.post("/v1/knowledge", json=ARTICLES[0]).headers["location"])
    assert _titles(client, "声音卡顿", mode=mode) == []
