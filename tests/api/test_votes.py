"""/v1/knowledge: votes, the leaderboard, and the articles that need review."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.api.expectations import fields_of, problem_of

SHORT = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}
UNKNOWN = "/v1/knowledge/4711"
LEADERBOARD = "/v1/knowledge/leaderboard"
NEEDS_REVIEW = "/v1/knowledge/needs-review"


def _create(client: TestClient, status: str = "draft") -> str:
    """The place of a new article."""
    response = client.post("/v1/knowledge", json={**SHORT, "status": status})
    assert response.status_code == 201, response.text
    place: str = response.headers["location"]
    return place


def _vote(client: TestClient, place: str, by: str, *, helpful: bool) -> dict[str, int]:
    response = client.post(f"{place}/vote", json={"by": by, "helpful": helpful})
    assert response.status_code == 200, response.text
    counts: dict[str, int] = response.json()
    return counts


@pytest.fixture
def approved(client: TestClient) -> str:
    """The place of an article that 李工 submitted, 王编辑 approved and 甲 found helpful."""
    place = _create(client)
    client.post(f"{place}/submit", json={"by": "李工"})
    client.post(f"{place}/approve", json={"by": "王编辑"})
    _vote(client, place, "甲", helpful=True)
    return place


class TestVote:
    def test_answers_the_counts(self, client: TestClient) -> None:
        place = _create(client)
        _vote(client, place, "甲", helpful=True)
        assert _vote(client, place, "乙", helpful=False) == {"helpful": 1, "unhelpful": 1}

    def test_a_second_one_replaces_the_first(self, client: TestClient) -> None:
        place = _create(client)
        _vote(client, place, "甲", helpful=True)
        assert _vote(client, place, "甲", helpful=False) == {"helpful": 0, "unhelpful": 1}

    def test_the_article_shows_the_counts(self, client: TestClient) -> None:
        place = _create(client)
        counts = _vote(client, place, "甲", helpful=False)
        article = client.get(place).json()
        assert {name: article[name] for name in counts} == {"helpful": 0, "unhelpful": 1}

    def test_on_an_unknown_article_is_not_found(self, service: TestClient) -> None:
        problem_of(service.post(f"{UNKNOWN}/vote", json={"by": "甲", "helpful": True}), 404)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"helpful": True}, "by"),
            ({"by": "zhang.san@example.com", "helpful": True}, "by"),
            ({"by": "甲"}, "helpful"),
            ({"by": "甲", "helpful": "true"}, "helpful"),
            ({"by": "甲", "helpful": 1}, "helpful"),
            ({"by": "甲", "helpful": None}, "helpful"),
            ({"by": "甲", "helpful": True, "reason": "说明"}, "reason"),
        ],
    )
    def test_a_field_that_breaks_its_rule_is_named(
        self, service: TestClient, body: dict[str, object], field: str
    ) -> None:
        assert fields_of(problem_of(service.post(f"{UNKNOWN}/vote", json=body), 422)) == {field}


class TestLeaderboard:
    def test_is_empty_at_first(self, client: TestClient) -> None:
        assert client.get(LEADERBOARD).json() == []

    @pytest.mark.usefixtures("approved")
    def test_shows_points_and_what_they_are_for(self, client: TestClient) -> None:
        assert client.get(LEADERBOARD).json() == [
            {"by": "李工", "points": 11, "approved": 1, "reviews": 0, "helpful": 1},
            {"by": "王编辑", "points": 2, "approved": 0, "reviews": 1, "helpful": 0},
        ]

    @pytest.mark.usefixtures("approved")
    def test_ends_at_the_limit(self, client: TestClient) -> None:
        assert [standing["by"] for standing in client.get(LEADERBOARD, params={"limit": 1}).json()] == ["李工"]

    @pytest.mark.usefixtures("approved")
    @pytest.mark.parametrize("since", ["2100-01-01T00:00:00Z", "2100-01-01T08:00:00+08:00", "2100-01-01"])
    def test_leaves_out_what_was_done_before(self, client: TestClient, since: str) -> None:
        assert client.get(LEADERBOARD, params={"since": since}).json() == []

    @pytest.mark.usefixtures("approved")
    @pytest.mark.parametrize("since", ["2020-01-01T00:00:00Z", "2020-01-01", "0001-01-01T00:00:00Z"])
    def test_counts_what_was_done_since(self, client: TestClient, since: str) -> None:
        assert len(client.get(LEADERBOARD, params={"since": since}).json()) == 2

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("since", ""),
            ("since", "gestern"),
            ("since", "2026"),
            ("since", "2026-13-01"),
            ("since", "2026-10-01T00:00:00 08:00"),
            ("since", "0001-01-01T00:00:00+14:00"),
            ("limit", "0"),
            ("limit", "201"),
            ("limit", "x"),
            ("until", "2026-10-01"),
        ],
    )
    def test_a_wrong_query_names_the_field(self, service: TestClient, field: str, value: str) -> None:
        document = problem_of(service.get(LEADERBOARD, params={field: value}), 422)
        assert {name.rpartition(".")[2] for name in fields_of(document)} == {field}


class TestAmounts:
    @pytest.fixture
    def client(self, home: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
        """A service with amounts of its own."""
        for name, amount in (("APPROVED", "5"), ("REVIEW", "3"), ("HELPFUL", "4")):
            monkeypatch.setenv(f"NLP_POINTS_{name}", amount)
        with TestClient(create_app(Settings(home=home), engine)) as started:
            yield started

    @pytest.mark.usefixtures("approved")
    def test_are_those_of_the_environment(self, client: TestClient) -> None:
        points = {standing["by"]: standing["points"] for standing in client.get(LEADERBOARD).json()}
        assert points == {"李工": 9, "王编辑": 3}


class TestNeedsReview:
    def test_is_empty_at_first(self, client: TestClient) -> None:
        assert client.get(NEEDS_REVIEW).json() == []

    def test_shows_the_article_and_why(self, client: TestClient) -> None:
        place = _create(client, "published")
        for person in ("甲", "乙", "丙"):
            _vote(client, place, person, helpful=False)
        article = client.get(place).json()
        assert client.get(NEEDS_REVIEW).json() == [
            {"article": article, "reasons": ["unhelpful"], "confirmed_at": article["updated_at"]}
        ]

    def test_ends_at_the_limit(self, client: TestClient) -> None:
        for _ in range(2):
            place = _create(client, "published")
            for person in ("甲", "乙", "丙"):
                _vote(client, place, person, helpful=False)
        assert len(client.get(NEEDS_REVIEW, params={"limit": 1}).json()) == 1

    @pytest.mark.parametrize(("field", "value"), [("limit", "0"), ("limit", "201"), ("status", "draft")])
    def test_a_wrong_query_names_the_field(self, service: TestClient, field: str, value: str) -> None:
        document = problem_of(service.get(NEEDS_REVIEW, params={field: value}), 422)
        assert {name.rpartition(".")[2] for name in fields_of(document)} == {field}
