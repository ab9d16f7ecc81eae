"""/v1/knowledge: the review of articles and their versions."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.expectations import Answer, fields_of, problem_of

SHORT: dict[str, Any] = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}
STEPS = ["submit", "approve", "reject", "archive", "unarchive"]
UNKNOWN = "/v1/knowledge/4711"
every_step = pytest.mark.parametrize("step", STEPS)


def _create(client: TestClient, **changes: object) -> str:
    """The place of a new article."""
    response = client.post("/v1/knowledge", json={**SHORT, **changes})
    assert response.status_code == 201, response.text
    place: str = response.headers["location"]
    return place


def _take(client: TestClient, place: str, step: str, by: str, reason: str | None = None) -> Answer:
    return client.post(f"{place}/{step}", json={"by": by, "reason": reason} if reason else {"by": by})


def _taken(client: TestClient, place: str, step: str, by: str, reason: str | None = None) -> dict[str, Any]:
    answer = _take(client, place, step, by, reason)
    assert answer.status_code == 200, answer.text
    article: dict[str, Any] = answer.json()
    return article


class TestSteps:
    def test_an_article_goes_all_the_way(self, client: TestClient) -> None:
        place = _create(client)
        way = [
            ("submit", "李工", None),
            ("reject", "王编辑", "缺少步骤"),
            ("submit", "李工", None),
            ("approve", "王编辑", None),
            ("archive", "王编辑", None),
            ("unarchive", "王编辑", None),
        ]
        reached = [_taken(client, place, *step)["status"] for step in way]
        assert reached == ["in_review", "rejected", "in_review", "published", "archived", "published"]

    def test_the_answer_is_the_article_as_it_is_read(self, client: TestClient) -> None:
        place = _create(client)
        assert _taken(client, place, "submit", "李工") == client.get(place).json()

    def test_an_article_shows_contributor_reviewer_and_reason(self, client: TestClient) -> None:
        place = _create(client)
        _taken(client, place, "submit", "李工")
        _taken(client, place, "reject", "王编辑", "缺少步骤")
        article = client.get(place).json()
        shown = {name: article[name] for name in ("contributor", "reviewer", "review_reason")}
        assert shown == {"contributor": "李工", "reviewer": "王编辑", "review_reason": "缺少步骤"}

    def test_a_new_article_shows_that_nobody_is_known(self, client: TestClient) -> None:
        article = client.get(_create(client)).json()
        assert [article[name] for name in ("contributor", "reviewer", "review_reason")] == [None, None, None]

    def test_the_list_shows_the_same(self, client: TestClient) -> None:
        place = _create(client)
        article = _taken(client, place, "submit", "李工")
        assert client.get("/v1/knowledge").json()["articles"] == [article]

    def test_an_approved_article_is_found_as_published(self, client: TestClient) -> None:
        place = _create(client)
        _taken(client, place, "submit", "李工")
        _taken(client, place, "approve", "王编辑")
        hits = client.post("/v1/search", json={"query": "导出超时", "filters": {"status": "published"}}).json()["hits"]
        assert [hit["title"] for hit in hits] == ["导出失败"]

    def test_space_around_a_name_does_not_make_another_person(self, client: TestClient) -> None:
        place = _create(client)
        _taken(client, place, "submit", "李工")
        problem_of(_take(client, place, "approve", " 李工 "), 403)

    def test_personal_data_in_a_reason_is_masked(self, client: TestClient) -> None:
        place = _create(client, status="in_review")
        article = _taken(client, place, "reject", "王编辑", "请打 13812345678 问清楚")
        assert article["review_reason"] == "请打 138****5678 问清楚"


class TestRefusedSteps:
    def test_an_impossible_step_names_the_state_and_what_is_possible(self, client: TestClient) -> None:
        document = problem_of(_take(client, _create(client), "approve", "王编辑"), 409)
        assert document["detail"].endswith("the article is draft, so approve is not possible; possible: submit")

    def test_a_second_approval_is_a_conflict(self, client: TestClient) -> None:
        place = _create(client, status="in_review")
        _taken(client, place, "approve", "王编辑")
        problem_of(_take(client, place, "approve", "钱编辑"), 409)

    @pytest.mark.parametrize("step", ["approve", "reject"])
    def test_reviewing_the_own_article_is_forbidden_and_names_the_rule(self, client: TestClient, step: str) -> None:
        place = _create(client)
        _taken(client, place, "submit", "李工")
        document = problem_of(_take(client, place, step, "李工", "说明"), 403)
        assert "提交人不能审核自己提交的文章" in document["detail"]
        assert "may not approve or reject it" in document["detail"]

    @every_step
    def test_an_unknown_article_is_not_found(self, service: TestClient, step: str) -> None:
        problem_of(_take(service, UNKNOWN, step, "王编辑", "说明"), 404)

    @every_step
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"reason": "说明"}, "by"),
            ({"by": "", "reason": "说明"}, "by"),
            ({"by": " ", "reason": "说明"}, "by"),
            ({"by": None, "reason": "说明"}, "by"),
            ({"by": 5, "reason": "说明"}, "by"),
            ({"by": "名" * 101, "reason": "说明"}, "by"),
            ({"by": "a\x00", "reason": "说明"}, "by"),
            ({"by": "13812345678", "reason": "说明"}, "by"),
            ({"by": "王编辑", "reason": "长" * 1001}, "reason"),
            ({"by": "王编辑", "reason": 5}, "reason"),
            ({"by": "王编辑", "reason": "说明", "colour": "red"}, "colour"),
        ],
    )
    def test_a_field_that_breaks_its_rule_is_named(
        self, service: TestClient, step: str, body: dict[str, object], field: str
    ) -> None:
        assert fields_of(problem_of(service.post(f"{UNKNOWN}/{step}", json=body), 422)) == {field}

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": None}], ids=str)
    def test_a_rejection_needs_a_reason(self, client: TestClient, body: dict[str, object]) -> None:
        place = _create(client, status="in_review")
        document = problem_of(client.post(f"{place}/reject", json={"by": "王编辑", **body}), 422)
        assert (fields_of(document), client.get(place).json()["status"]) == ({"reason"}, "in_review")

    @pytest.mark.parametrize("reason", ["", " ", None])
    def test_another_step_needs_none(self, client: TestClient, reason: str | None) -> None:
        place = _create(client, status="in_review")
        article = client.post(f"{place}/approve", json={"by": "王编辑", "reason": reason}).json()
        assert (article["status"], article["review_reason"]) == ("published", None)

    @pytest.mark.parametrize(("by", "reason"), [("名" * 100, "长" * 1000), ("a", "b")], ids=["longest", "shortest"])
    def test_names_and_reasons_up_to_the_limits_are_taken(self, client: TestClient, by: str, reason: str) -> None:
        article = _taken(client, _create(client, status="in_review"), "reject", by, reason)
        assert (article["reviewer"], article["review_reason"]) == (by, reason)


class TestVersions:
    @pytest.fixture
    def place(self, client: TestClient) -> str:
        """An article in its second version."""
        place = _create(client, status="published")
        client.patch(place, json={"title": "导出很慢", "tags": ["导出"], "product": "报表"})
        return place

    def test_the_newest_comes_first(self, client: TestClient, place: str) -> None:
        answer = client.get(f"{place}/versions").json()
        listed = [(version["number"], version["action"], version["title"]) for version in answer["versions"]]
        assert (answer["total"], listed) == (2, [(2, "update", "导出很慢"), (1, "create", "导出失败")])

    def test_a_version_shows_the_whole_content_and_where_it_is_from(self, client: TestClient, place: str) -> None:
        newest = client.get(f"{place}/versions").json()["versions"][0]
        assert newest == {
            **SHORT,
            "number": 2,
            "title": "导出很慢",
            "scenario": "",
            "tags": ["导出"],
            "product": "报表",
            "action": "update",
            "by": None,
            "reason": None,
            "at": client.get(place).json()["updated_at"],
        }

    def test_a_page_begins_at_the_offset_and_ends_at_the_limit(self, client: TestClient, place: str) -> None:
        client.patch(place, json={"title": "导出卡住"})
        answer = client.get(f"{place}/versions", params={"offset": 1, "limit": 1}).json()
        assert (answer["total"], [version["number"] for version in answer["versions"]]) == (3, [2])

    @pytest.mark.parametrize(("field", "value"), [("limit", 0), ("limit", 201), ("offset", -1), ("sort", "title")])
    def test_a_wrong_query_names_the_field(self, service: TestClient, field: str, value: object) -> None:
        document = problem_of(service.get(f"{UNKNOWN}/versions", params={field: str(value)}), 422)
        assert {name.rpartition(".")[2] for name in fields_of(document)} == {field}

    def test_of_an_unknown_article_are_not_found(self, service: TestClient) -> None:
        problem_of(service.get(f"{UNKNOWN}/versions"), 404)

    def test_a_restored_version_is_current_and_a_new_one(self, client: TestClient, place: str) -> None:
        restored = client.post(f"{place}/versions/1/restore", json={"by": "李工", "reason": "改错了"}).json()
        newest = client.get(f"{place}/versions").json()["versions"][0]
        assert restored == client.get(place).json()
        assert {name: restored[name] for name in SHORT} == SHORT
        assert [newest[name] for name in ("number", "action", "by", "reason")] == [3, "restore", "李工", "改错了"]

    def test_a_restored_article_stays_published(self, client: TestClient, place: str) -> None:
        assert client.post(f"{place}/versions/1/restore", json={"by": "李工"}).json()["status"] == "published"

    def test_a_restored_version_is_found_by_its_words(self, client: TestClient, place: str) -> None:
        client.post(f"{place}/versions/1/restore", json={"by": "李工"})
        hits = client.post("/v1/search", json={"query": "导出失败", "mode": "lexical"}).json()["hits"]
        assert [hit["title"] for hit in hits] == ["导出失败"]

    def test_an_unknown_version_is_not_found(self, client: TestClient, place: str) -> None:
        problem_of(client.post(f"{place}/versions/3/restore", json={"by": "李工"}), 404)

    def test_a_version_of_an_unknown_article_is_not_found(self, service: TestClient) -> None:
        problem_of(service.post(f"{UNKNOWN}/versions/1/restore", json={"by": "李工"}), 404)

    @pytest.mark.parametrize("number", ["0", "-1", "x", "2147483648"])
    def test_what_is_no_number_of_a_version_is_refused(self, service: TestClient, number: str) -> None:
        problem_of(service.post(f"{UNKNOWN}/versions/{number}/restore", json={"by": "李工"}), 422)

    def test_restoring_names_a_missing_person(self, service: TestClient) -> None:
        assert fields_of(problem_of(service.post(f"{UNKNOWN}/versions/1/restore", json={}), 422)) == {"by"}
