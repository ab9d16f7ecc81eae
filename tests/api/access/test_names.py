"""Who did it: the name of the key."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.access.keys import bearer
from tests.api.expectations import problem_of

SHORT: dict[str, Any] = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}


class Person:
    """Makes requests with a key."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client = client
        self._headers = bearer(key)

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        return self._client.request(method, path, json=body, headers=self._headers)


@pytest.fixture(scope="module")
def people(guarded: TestClient, keys: dict[str, str]) -> dict[str, Person]:
    return {name: Person(guarded, key) for name, key in keys.items()}


@pytest.fixture
def place(people: dict[str, Person]) -> str:
    """An article that the writer drafted."""
    created: str = people["writer"]("POST", "/v1/knowledge", SHORT).headers["location"]
    return created


def _taken(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    article: dict[str, Any] = answer.json()
    return article


def test_an_article_goes_all_the_way_without_a_name_given(people: dict[str, Person], place: str) -> None:
    _taken(people["writer"]("POST", f"{place}/submit", {}))
    article = _taken(people["reviewer"]("POST", f"{place}/approve", {}))
    assert (article["status"], article["contributor"], article["reviewer"]) == ("published", "李工", "王编辑")


def test_versions_keep_the_name_of_the_key(people: dict[str, Person], place: str) -> None:
    _taken(people["reviewer"]("PATCH", place, {"title": "导出很慢"}))
    versions = people["search"]("GET", f"{place}/versions").json()["versions"]
    assert [version["by"] for version in versions] == ["王编辑", "李工"]


def test_the_own_name_may_be_given(people: dict[str, Person], place: str) -> None:
    assert _taken(people["writer"]("POST", f"{place}/submit", {"by": "李工"}))["contributor"] == "李工"


def test_another_name_is_refused_and_nothing_done(people: dict[str, Person], place: str) -> None:
    document = problem_of(people["writer"]("POST", f"{place}/submit", {"by": "王编辑"}), 403)
    assert "--for-others" in document["detail"]
    assert _taken(people["search"]("GET", place))["status"] == "draft"


@pytest.mark.parametrize("holder", ["portal", "admin"])
def test_some_keys_may_name_others(people: dict[str, Person], place: str, holder: str) -> None:
    assert _taken(people[holder]("POST", f"{place}/submit", {"by": "钱工"}))["contributor"] == "钱工"


def test_a_second_key_of_a_person_does_not_review_the_own_article(people: dict[str, Person], place: str) -> None:
    _taken(people["writer"]("POST", f"{place}/submit", {}))
    document = problem_of(people["same person"]("POST", f"{place}/approve", {}), 403)
    assert "may not approve or reject it" in document["detail"]


@pytest.mark.parametrize("status", ["in_review", "published", "rejected", "archived"])
class TestWithoutTheRightToReview:
    def test_an_article_is_not_created_with_a_status(self, people: dict[str, Person], status: str) -> None:
        before = _taken(people["search"]("GET", "/v1/knowledge"))["total"]
        document = problem_of(people["writer"]("POST", "/v1/knowledge", {**SHORT, "status": status}), 403)
        assert "knowledge:review" in document["detail"]
        assert _taken(people["search"]("GET", "/v1/knowledge"))["total"] == before

    def test_an_article_is_not_given_a_status(self, people: dict[str, Person], place: str, status: str) -> None:
        problem_of(people["writer"]("PATCH", place, {"status": status}), 403)

    def test_articles_are_not_imported_with_a_status(self, people: dict[str, Person], status: str) -> None:
        body = {"articles": [{**SHORT, "external_id": "KB-9", "status": status}]}
        problem_of(people["writer"]("POST", "/v1/knowledge/import", body), 403)


@pytest.mark.parametrize("holder", ["reviewer", "admin"])
def test_with_the_right_to_review_an_article_may_be_created_as_published(
    people: dict[str, Person], holder: str
) -> None:
    key = people["reviewer"] if holder == "reviewer" else people["admin"]
    assert key("POST", "/v1/knowledge", {**SHORT, "status": "published"}).status_code == 201


def test_a_vote_counts_for_the_holder_of_the_key(people: dict[str, Person], place: str) -> None:
    for _ in range(2):
        counts = _taken(people["search"]("POST", f"{place}/vote", {"helpful": True}))
    assert counts == {"helpful": 1, "unhelpful": 0}


def test_a_ticket_is_drafted_in_the_name_of_the_key(people: dict[str, Person]) -> None:
    item = {"text": "导出报表一直超时", "kind": "ticket"}
    taken = _taken(people["classify"]("POST", "/v1/feedback", {"items": [item]}))
    ticket = f"/v1/feedback/{taken['results'][0]['id']}"
    _taken(people["classify"]("POST", f"{ticket}/resolve", {"solution": "分批导出"}))
    drafted = people["writer"]("POST", f"{ticket}/draft", {})
    versions = people["search"]("GET", f"{drafted.headers['location']}/versions").json()["versions"]
    assert [version["by"] for version in versions] == ["李工"]
