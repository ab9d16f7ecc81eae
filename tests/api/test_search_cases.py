"""POST /v1/search: solved tickets beside articles, filters, scores that can be compared, explanations."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.api.expectations import fields_of, problem_of

ARTICLE = {
    "title": "打印机脱机无法打印",
    "problem": "点击打印没有反应，队列里一直显示脱机",
    "solution": "重启打印服务，取消脱机使用打印机",
    "product": "办公套件",
    "status": "published",
    "external_id": "article-printer",
}
TICKETS: list[dict[str, Any]] = [
    {
        "external_id": "case-printer",
        "text": "打印机一直脱机，点了打印没反应",
        "status": "solved",
        "solution": "换了网线，重新添加打印机",
        "product": "门店收银",
        "module": "小票",
        "scenario": "收银台",
        "tags": ["硬件"],
        "created_at": "2026-03-02T08:00:00Z",
    },
    {
        "external_id": "case-label",
        "text": "标签打印机一直脱机，点了打印没反应",
        "status": "solved",
        "solution": "升级驱动",
        "product": "仓储",
        "module": "标签",
        "created_at": "2026-08-02T08:00:00Z",
    },
    {"external_id": "case-open", "text": "打印机又脱机了，点打印没反应", "product": "门店收银"},
    {"external_id": "case-vpn", "text": "VPN连不上", "status": "solved", "solution": "换端口", "product": "远程办公"},
]
QUERY = "打印机脱机，点打印没反应"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[TestClient]:
    """The service with an article, three solved tickets and an open one; no test changes them."""
    home = tmp_path_factory.mktemp("desk")
    (home / "var").mkdir()
    with TestClient(create_app(Settings(home=home), engine)) as started:
        assert started.post("/v1/knowledge", json=ARTICLE).status_code == 201
        taken = started.post("/v1/feedback", json={"items": [{"kind": "ticket", **ticket} for ticket in TICKETS]})
        assert taken.status_code == 200, taken.text
        yield started


def _hits(desk: TestClient, query: str = QUERY, **options: Any) -> list[dict[str, Any]]:
    response = desk.post("/v1/search", json={"query": query, **options})
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


def _found(desk: TestClient, query: str = QUERY, **options: Any) -> list[str]:
    return [hit["external_id"] for hit in _hits(desk, query, **options)]


def test_solved_tickets_stand_beside_articles(desk: TestClient) -> None:
    assert {(hit["kind"], hit["external_id"]) for hit in _hits(desk, top_k=3)} == {
        ("article", "article-printer"),
        ("case", "case-printer"),
        ("case", "case-label"),
    }


def test_an_open_ticket_is_no_case(desk: TestClient) -> None:
    assert "case-open" not in _found(desk)


def test_a_case_shows_how_it_was_solved(desk: TestClient) -> None:
    (hit,) = _hits(desk, filters={"kind": "case", "product": "门店收银"})
    assert (hit["title"], hit["solution"], hit["module"], hit["status"]) == (
        "打印机一直脱机，点了打印没反应",
        "换了网线，重新添加打印机",
        "小票",
        "solved",
    )


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "article"}, {"article-printer"}),
        ({"kind": "case"}, {"case-printer", "case-label", "case-vpn"}),
        ({"module": "标签"}, {"case-label"}),
        ({"module": ["标签", "小票"]}, {"case-label", "case-printer"}),
        ({"scenario": "收银台"}, {"case-printer"}),
        ({"tags": "硬件"}, {"case-printer"}),
        ({"status": "published"}, {"article-printer"}),
        ({"kind": "case", "since": "2026-08-01T00:00:00Z", "until": "2026-09-01T00:00:00Z"}, {"case-label"}),
        ({"kind": "case", "until": "2026-03-02T16:00:00+08:00"}, set()),
        ({"kind": "case", "until": "2026-03-02T16:00:01+08:00"}, {"case-printer"}),
        ({"product": "没有这个产品"}, set()),
    ],
)
def test_filters_leave_exactly_what_meets_them(desk: TestClient, filters: dict[str, Any], expected: set[str]) -> None:
    assert set(_found(desk, filters=filters)) == expected


@pytest.mark.parametrize(("product", "first"), [("门店收银", "case-printer"), ("仓储", "case-label")])
def test_a_case_of_the_askers_product_comes_first(desk: TestClient, product: str, first: str) -> None:
    assert _found(desk, product=product, filters={"kind": "case"})[0] == first


def test_a_case_of_the_askers_module_comes_first(desk: TestClient) -> None:
    assert _found(desk, module="标签", filters={"kind": "case"})[0] == "case-label"


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_scores_are_probabilities_in_falling_order(desk: TestClient, mode: str) -> None:
    scores = [hit["score"] for hit in _hits(desk, mode=mode)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_nothing_fits_is_an_answer(desk: TestClient) -> None:
    assert _found(desk, "附近哪家火锅好吃", min_score=0.5) == []


def test_what_fits_reaches_a_least_score(desk: TestClient) -> None:
    assert _found(desk, "VPN连不上", min_score=0.5) == ["case-vpn"]


def test_an_explained_hit_names_the_most_similar_sentence(desk: TestClient) -> None:
    (hit,) = _hits(desk, "文件打出来的纸没有动静", top_k=1, mode="dense", filters={"kind": "article"}, explain=True)
    assert hit["closest"]["text"] in {ARTICLE["title"], ARTICLE["problem"]}
    assert 0 < hit["closest"]["similarity"] <= 1


def test_without_explanation_there_is_none(desk: TestClient) -> None:
    assert {hit["closest"] for hit in _hits(desk)} == {None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filters": {"prodcut": "仓储"}}, "filters.prodcut"),
        ({"filters": {"kind": "ticket"}}, "filters.kind.0"),
        ({"filters": {"status": "open"}}, "filters.status.0"),
        ({"filters": {"since": "gestern"}}, "filters.since"),
        ({"filters": {"since": "2026-02-01", "until": "2026-01-01"}}, "filters"),
        ({"min_score": 1.5}, "min_score"),
        ({"min_score": -0.1}, "min_score"),
    ],
)
def test_bad_input_names_the_field(desk: TestClient, body: dict[str, Any], field: str) -> None:
    response = desk.post("/v1/search", json={"query": QUERY, **body})
    assert any(name.startswith(field) for name in fields_of(problem_of(response, 422)))
