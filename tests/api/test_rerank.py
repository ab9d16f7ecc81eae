"""A reranker in POST /v1/search."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.batching import Batcher
from nlp_service.inference.bundle import Reranking
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.engine import Engine
from nlp_service.inference.release import RERANKER, read_release
from nlp_service.inference.reranker import Reranker
from nlp_service.settings import Settings
from tests.observability.values import value

TITLES = ["网课声音卡顿", "直播声音卡顿", "声音超时", "学生登录失败", "报表导出声音"]
TOP = 3
QUERY = "声音卡顿"
TURNED = Reranking(fused=0, scored=-1, strength=1, lead=0, intercept=0)
"""The reranker alone decides, and what it thinks worst comes first: its untrained order happens to be the search's."""


@pytest.fixture(scope="module")
def reranker(reranking_bundles: Path) -> Iterator[Reranker]:
    batcher = Batcher(Encoder.load(reranking_bundles / read_release(reranking_bundles).serving[RERANKER], threads=1))
    yield Reranker(batcher, TOP, TURNED)
    batcher.close()


@contextmanager
def _service(home: Path, engine: Engine, reranker: Reranker | None) -> Iterator[TestClient]:
    (home / "var").mkdir()
    others = {one.encoder.bundle.fingerprint: one for one in engine.batchers.values()}
    with TestClient(create_app(Settings(home=home), Engine(engine.search, others, engine.heads, reranker))) as started:
        articles = [{"title": title, "problem": title, "solution": "云盘"} for title in TITLES]
        assert started.post("/v1/knowledge/import", json={"articles": articles}).status_code == 200
        yield started


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, engine: Engine, reranker: Reranker) -> Iterator[TestClient]:
    """The service with five articles and a reranker that reads three hits; no test changes them."""
    with _service(tmp_path_factory.mktemp("home"), engine, reranker) as started:
        yield started


def _answer(client: TestClient, **options: object) -> dict[str, Any]:
    response = client.post("/v1/search", json={"query": QUERY, **options})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def _titles(client: TestClient, **options: object) -> list[str]:
    return [hit["title"] for hit in _answer(client, **options)["hits"]]


@pytest.fixture(scope="module")
def fused(client: TestClient) -> list[str]:
    """The order without reranker."""
    return _titles(client, rerank=False)


@pytest.fixture(scope="module")
def expected(fused: list[str], reranker: Reranker) -> list[tuple[str, float]]:
    """The first hits with their scores, the lowest first."""
    scores = reranker.submit(QUERY, [f"{title}\n{title}\n云盘" for title in fused[:TOP]]).result()
    return sorted(zip(fused, scores[:, 0].tolist(), strict=False), key=lambda scored: scored[1])


def test_the_first_hits_are_in_the_order_of_their_scores(
    client: TestClient, fused: list[str], expected: list[tuple[str, float]]
) -> None:
    ranked = [title for title, _ in expected]
    assert ranked != fused[:TOP]  # else this would show nothing
    assert _titles(client)[:TOP] == ranked


def test_hits_further_down_stay(client: TestClient, fused: list[str]) -> None:
    assert _titles(client)[TOP:] == fused[TOP:]


def test_what_ranks_first_then_is_found_though_one_hit_is_wanted(
    client: TestClient, expected: list[tuple[str, float]]
) -> None:
    assert _titles(client, top_k=1) == [expected[0][0]]


def test_scores_are_probabilities_the_best_first(client: TestClient) -> None:
    scores = [hit["score"] for hit in _answer(client)["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_the_bound_holds_for_the_new_probability(client: TestClient) -> None:
    hits = _answer(client)["hits"]
    bound = (hits[0]["score"] + hits[1]["score"]) / 2
    assert _titles(client, min_score=bound) == [hits[0]["title"]]


@pytest.mark.parametrize("mode", ["dense", "lexical"])
def test_another_mode_is_reranked_only_when_asked(client: TestClient, mode: str) -> None:
    plain = _answer(client, mode=mode)["hits"]
    assert plain == _answer(client, mode=mode, rerank=False)["hits"]
    assert plain != _answer(client, mode=mode, rerank=True)["hits"]


def test_a_query_that_nothing_answers_is_fine(client: TestClient) -> None:
    assert _answer(client, filters={"product": "没有"})["hits"] == []


def test_where_it_answers_nothing_is_degraded(client: TestClient) -> None:
    assert _answer(client)["degraded"] is None


@pytest.fixture
def without_time(tmp_path: Path, engine: Engine, reranker: Reranker) -> Iterator[TestClient]:
    """A service whose reranker takes nothing any more."""
    closed = Batcher(reranker.batcher.encoder)
    closed.close()
    with _service(tmp_path, engine, Reranker(closed, TOP, TURNED)) as started:
        yield started


def test_when_it_cannot_answer_the_search_does_and_says_so(without_time: TestClient, fused: list[str]) -> None:
    answer = _answer(without_time)
    assert (answer["degraded"], [hit["title"] for hit in answer["hits"]]) == ("not_reranked", fused)


def test_what_is_ranked_again_is_counted(client: TestClient) -> None:
    before = value(client, "nlp_reranks_total", outcome="reranked")
    _answer(client)
    assert value(client, "nlp_reranks_total", outcome="reranked") == before + 1


def test_what_could_not_be_ranked_again_is_counted(without_time: TestClient) -> None:
    before = value(without_time, "nlp_reranks_total", outcome="not_reranked")
    _answer(without_time)
    assert value(without_time, "nlp_reranks_total", outcome="not_reranked") == before + 1


def test_asked_for_where_none_serves_it_is_refused(service: TestClient) -> None:
    response = service.post("/v1/search", json={"query": QUERY, "rerank": True})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "rerank")


def test_it_is_listed_with_the_models(client: TestClient, reranker: Reranker) -> None:
    listed = {encoder["fingerprint"]: encoder["name"] for encoder in client.get("/v1/models").json()["encoders"]}
    assert listed[reranker.model.fingerprint] == "reranker"
