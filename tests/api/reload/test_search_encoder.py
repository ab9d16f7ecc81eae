"""A promoted search encoder takes over without a restart, together with its index, while requests go on."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from structlog.testing import capture_logs

from nlp_service.inference.bundle import BUNDLE_FILE, EncoderBundle, HeadBundle, read_bundle
from nlp_service.inference.live import LiveEngine
from nlp_service.inference.release import SEARCH, Release, encoder_folder, read_release, write_release
from nlp_service.storage.tables import ArticleVector
from tests.api.reload.versions import classified, reload_models, service_of, version_of
from tests.observability.values import value
from tests.releases import copy_bundles, copy_head, edit_bundle, promote, promote_search, serving_head

SECONDS, THREADS = 120.0, 3
PATIENCE = 30.0
"""Seconds."""
QUERIES = ("声音卡顿", "导出报表超时", "忘记密码怎么办")
ARTICLES = [
    {"title": "网课声音卡顿的处理", "problem": "学生听到的声音一卡一卡", "solution": "关闭云盘同步"},
    {"title": "报表导出失败", "problem": "点击导出后提示超时", "solution": "分批导出"},
    {"title": "重置密码", "problem": "用户忘记了密码，无法登录", "solution": "在登录页选择重置"},
]
Answer = tuple[tuple[str, float], ...]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_bundles(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(bundles: Path) -> Release:
    return read_release(bundles)


@pytest.fixture(scope="module")
def running(bundles: Path, first: Release) -> Iterator[TestClient]:
    """A service with three articles of one product."""
    assert first
    with service_of(bundles, watch_models=False) as started:
        articles = [{**article, "product": "known"} for article in ARTICLES]
        assert started.post("/v1/knowledge/import", json={"articles": articles}).status_code == 200
        yield started


@pytest.fixture(scope="class")
def client(running: TestClient, bundles: Path, first: Release) -> Iterator[TestClient]:
    """That service; afterwards what served at first serves again."""
    yield running
    _take(running, bundles, first)


def _live(client: TestClient) -> LiveEngine:
    live: LiveEngine = client.app.state.live  # type: ignore[attr-defined]
    return live


def _take(client: TestClient, bundles: Path, release: Release) -> None:
    write_release(bundles, release)
    assert reload_models(client).status_code == 200
    _live(client).wait_for_search(SECONDS)


def _swap(client: TestClient, bundles: Path) -> None:
    promote_search(bundles)
    assert reload_models(client).status_code == 200
    _live(client).wait_for_search(SECONDS)


def _search_version(client: TestClient) -> str:
    response = client.get("/readyz")
    assert response.status_code == 200, response.text
    models: list[dict[str, str]] = response.json()["models"]
    return models[-1]["version"]


def _version_in(bundles: Path) -> str:
    return read_bundle(bundles / read_release(bundles).serving[SEARCH], EncoderBundle).version


def _ask(client: TestClient, query: str) -> Answer:
    """Titles and scores among the known articles, once every record has its vector: the encoder alone decides."""
    give_up = time.monotonic() + PATIENCE
    while (answer := _answer(client, query)) is None:
        assert time.monotonic() < give_up
    return answer


def _answer(client: TestClient, query: str) -> Answer | None:
    """The same now; None when it says that some records cannot be found by their meaning yet."""
    body = {"query": query, "mode": "dense", "filters": {"product": "known"}}
    response = client.post("/v1/search", json=body)
    assert response.status_code == 200, response.text
    found = response.json()
    return None if found["degraded"] else tuple((hit["title"], round(hit["score"], 4)) for hit in found["hits"])


def _encoders(client: TestClient, number: int) -> set[str]:
    """Fingerprints of the encoders that an article has vectors of."""
    with client.app.state.database.read() as session:  # type: ignore[attr-defined]
        return set(session.scalars(select(ArticleVector.encoder).where(ArticleVector.record_id == number)))


@dataclass(frozen=True)
class Before:
    """What a service said before another search encoder was taken."""

    version: str
    answers: list[Answer]


@pytest.fixture(scope="class")
def before(client: TestClient, bundles: Path) -> Before:
    """What was said before the swap, which is over."""
    said = Before(_search_version(client), [_ask(client, query) for query in QUERIES])
    _swap(client, bundles)
    return said


class TestASwap:
    def test_the_new_encoder_answers(self, client: TestClient, bundles: Path, before: Before) -> None:
        assert before.version != _search_version(client) == _version_in(bundles)

    @pytest.mark.usefixtures("before")
    def test_every_record_has_a_vector_of_both(self, client: TestClient) -> None:
        assert [len(_encoders(client, number)) for number in (1, 2, 3)] == [2, 2, 2]

    @pytest.mark.usefixtures("before")
    def test_what_is_written_afterwards_gets_a_vector_of_the_new_one(self, client: TestClient, bundles: Path) -> None:
        created = client.post(
            "/v1/knowledge", json={"title": "摄像头黑屏", "problem": "没有画面", "solution": "换接口"}
        )
        new = read_bundle(serving_head(bundles, "classify"), HeadBundle).encoder.fingerprint
        assert _encoders(client, created.json()["id"]) == {new}

    def test_going_back_is_another_swap(
        self, client: TestClient, bundles: Path, first: Release, before: Before
    ) -> None:
        _take(client, bundles, first)
        assert [_ask(client, query) for query in QUERIES] == before.answers


@pytest.fixture(scope="class")
def answers(client: TestClient, bundles: Path) -> dict[str, Any]:
    """What was found before, during and after a swap, and the articles that were written meanwhile."""
    swapped = threading.Event()
    before = {query: _ask(client, query) for query in QUERIES}

    def search(thread: int) -> set[tuple[str, Answer]]:
        query, found = QUERIES[thread], set()
        while not swapped.is_set():
            if (answer := _answer(client, query)) is not None:
                found.add((query, answer))
        return found

    def write() -> list[int]:
        numbers: list[int] = []
        while not swapped.is_set() and len(numbers) < 300:
            article = {
                "title": f"第 {len(numbers)} 篇",
                "problem": "屏幕花屏",
                "solution": "换线",
                "product": "new",
            }
            created = client.post("/v1/knowledge", json=article)
            assert created.status_code == 201
            numbers.append(created.json()["id"])
        return numbers

    with ThreadPoolExecutor(THREADS + 1) as pool:
        asked = [pool.submit(search, thread) for thread in range(THREADS)]
        writing = pool.submit(write)
        try:
            _swap(client, bundles)
        finally:
            swapped.set()
        during = {answer for future in asked for answer in future.result()}
        written = writing.result()
    after = {query: _ask(client, query) for query in QUERIES}
    return {"before": before, "during": during, "after": after, "written": written}


class TestWhileRequestsGoOn:
    def test_every_answer_is_that_of_one_encoder_and_its_index(self, answers: dict[str, Any]) -> None:
        possible = {(query, answers[when][query]) for when in ("before", "after") for query in QUERIES}
        assert answers["during"] <= possible
        assert answers["during"]

    def test_the_encoders_answer_differently(self, answers: dict[str, Any]) -> None:
        assert not set(answers["before"].items()) & set(answers["after"].items())

    def test_what_was_written_meanwhile_is_found(self, answers: dict[str, Any], client: TestClient) -> None:
        body = {"query": "屏幕花屏", "mode": "dense", "top_k": 100, "filters": {"product": "new"}}
        wanted, found = set(answers["written"]), set[int]()
        give_up = time.monotonic() + PATIENCE  # vectors of what the old encoder's requests wrote are computed behind
        while found != wanted and time.monotonic() < give_up:
            found = {hit["id"] for hit in client.post("/v1/search", json=body).json()["hits"]}
        assert found == wanted


@pytest.fixture(scope="class")
def broken(client: TestClient, bundles: Path) -> str:
    """The version that serves, after a search encoder was promoted whose calibration nobody can read."""
    serving = _search_version(client)
    head = read_bundle(serving_head(bundles, "classify"), HeadBundle).encoder
    fingerprint = head.fingerprint[::-1]
    target = bundles / encoder_folder("broken", fingerprint)
    target.mkdir()
    for file in (bundles / encoder_folder(head.name, head.fingerprint)).iterdir():
        (target / file.name).symlink_to(file.resolve())
    description = (target / BUNDLE_FILE).read_bytes()
    (target / BUNDLE_FILE).unlink()
    (target / BUNDLE_FILE).write_bytes(description)
    edit_bundle(target, name="broken", fingerprint=fingerprint, relevance={"cosine": 1})
    parts = {SEARCH: target.relative_to(bundles).as_posix()}
    write_release(bundles, read_release(bundles).changed("promote", SEARCH, parts))
    return serving


class TestRefused:
    def test_the_old_encoder_goes_on(self, client: TestClient, broken: str) -> None:
        before = _ask(client, QUERIES[0])
        reload_models(client)
        _live(client).wait_for_search(SECONDS)
        assert (_search_version(client), _ask(client, QUERIES[0])) == (broken, before)

    @pytest.mark.usefixtures("broken")
    def test_the_log_says_why(self, client: TestClient) -> None:
        with capture_logs() as logs:
            reload_models(client)
            _live(client).wait_for_search(SECONDS)
        (reason,) = (entry["reason"] for entry in logs if entry["log_level"] == "error")
        assert "relevance" in reason

    @pytest.mark.usefixtures("broken")
    def test_operators_see_it(self, client: TestClient) -> None:
        client.app.state.observed.update()  # type: ignore[attr-defined]
        before = value(client, "nlp_model_reloads_total", result="failed")
        reload_models(client)
        _live(client).wait_for_search(SECONDS)
        client.app.state.observed.update()  # type: ignore[attr-defined]
        assert value(client, "nlp_model_reloads_total", result="failed") == before + 1

    def test_new_heads_of_the_same_release_are_taken(self, client: TestClient, bundles: Path, broken: str) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        reload_models(client)
        _live(client).wait_for_search(SECONDS)
        assert (classified(client)[0], _search_version(client)) == ("second", broken)


def test_taking_it_back_while_it_is_prepared_keeps_the_first(client: TestClient, bundles: Path, first: Release) -> None:
    before = _ask(client, QUERIES[0])
    promote_search(bundles)
    reload_models(client)
    _take(client, bundles, first)
    assert (_search_version(client), _ask(client, QUERIES[0])) == (_version_in(bundles), before)
    assert classified(client)[0] == version_of(first)
