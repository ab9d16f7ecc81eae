"""/v1/knowledge."""

import csv
import io
import json
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.expectations import Answer, fields_of, problem_of

IMPORT = "/v1/knowledge/import"
FULL: dict[str, Any] = {
    "title": "网课声音卡顿",
    "problem": "学生听到的声音一卡一卡。",
    "scenario": "老师在家直播。",
    "solution": "关闭云盘同步。",
    "tags": ["音频", "网络"],
    "product": "课堂",
    "external_id": "KB-1",
    "status": "published",
}
SHORT: dict[str, Any] = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}
KNOWN_FROM_REVIEW = {"contributor", "reviewer", "review_reason", "helpful", "unhelpful"}
GIVEN_BY_THE_SERVICE = {"id", "created_at", "updated_at"} | KNOWN_FROM_REVIEW


def _create(client: TestClient, **changes: object) -> dict[str, Any]:
    response = client.post("/v1/knowledge", json={**SHORT, **changes})
    assert response.status_code == 201, response.text
    article: dict[str, Any] = response.json()
    return article


def _total(client: TestClient) -> int:
    total: int = client.get("/v1/knowledge").json()["total"]
    return total


def _upload(client: TestClient, name: str, content: str | bytes) -> Answer:
    data = content.encode() if isinstance(content, str) else content
    return client.post(IMPORT, files={"file": (name, data, "application/octet-stream")})


def _jsonl(*records: object) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _csv(*records: dict[str, Any]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(FULL))
    writer.writeheader()
    writer.writerows({**record, "tags": ";".join(record.get("tags", []))} for record in records)
    return stream.getvalue()


class TestCreate:
    def test_answers_201_with_the_place_of_the_article(self, client: TestClient) -> None:
        response = client.post("/v1/knowledge", json=FULL)
        assert response.status_code == 201
        assert response.headers["location"] == f"/v1/knowledge/{response.json()['id']}"

    def test_answers_what_was_given(self, client: TestClient) -> None:
        article = client.post("/v1/knowledge", json=FULL).json()
        assert {name: article[name] for name in FULL} == FULL

    def test_adds_a_number_two_times_and_what_is_known_from_the_review(self, client: TestClient) -> None:
        article = client.post("/v1/knowledge", json=FULL).json()
        assert set(article) - set(FULL) == GIVEN_BY_THE_SERVICE

    def test_times_carry_their_offset(self, client: TestClient) -> None:
        article = _create(client)
        assert datetime.fromisoformat(article["created_at"]).tzinfo is not None

    def test_a_short_article_is_a_draft_without_the_rest(self, client: TestClient) -> None:
        article = _create(client)
        rest = {name: article[name] for name in ("scenario", "tags", "product", "external_id", "status")}
        assert rest == {"scenario": "", "tags": [], "product": None, "external_id": None, "status": "draft"}

    def test_a_known_external_id_is_a_conflict(self, client: TestClient) -> None:
        _create(client, external_id="KB-1")
        problem_of(client.post("/v1/knowledge", json=FULL), 409)

    def test_a_conflict_stores_nothing(self, client: TestClient) -> None:
        _create(client, external_id="KB-1")
        client.post("/v1/knowledge", json=FULL)
        assert _total(client) == 1

    def test_articles_without_external_id_do_not_conflict(self, client: TestClient) -> None:
        _create(client)
        _create(client)
        assert _total(client) == 2

    def test_space_around_a_text_is_removed(self, client: TestClient) -> None:
        assert _create(client, title="  导出失败\n")["title"] == "导出失败"

    @pytest.mark.parametrize("field", ["title", "problem", "scenario", "solution"])
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("请联系 13812345678", "请联系 138****5678"),
            ("身份证 11010519491231002X", "身份证 110105************"),
            ("邮箱 zhangsan@example.com", "邮箱 z***@example.com"),
        ],
    )
    def test_personal_data_is_masked(self, client: TestClient, field: str, given: str, kept: str) -> None:
        article = _create(client, **{field: given})
        assert client.get(f"/v1/knowledge/{article['id']}").json()[field] == kept

    def test_an_external_id_that_holds_personal_data_is_refused(self, client: TestClient) -> None:
        response = client.post("/v1/knowledge", json={**SHORT, "external_id": "CRM-13812345678"})
        assert fields_of(problem_of(response, 422)) == {"external_id"}


class TestRead:
    def test_answers_what_was_created(self, client: TestClient) -> None:
        response = client.post("/v1/knowledge", json=FULL)
        assert client.get(response.headers["location"]).json() == response.json()

    def test_an_unknown_number_is_not_found(self, client: TestClient) -> None:
        problem_of(client.get("/v1/knowledge/1"), 404)

    @pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9223372036854775808", "1e3"])
    def test_what_is_no_article_number_is_refused(self, client: TestClient, number: str) -> None:
        problem_of(client.get(f"/v1/knowledge/{number}"), 422)

    def test_the_largest_number_is_not_found(self, client: TestClient) -> None:
        problem_of(client.get("/v1/knowledge/9223372036854775807"), 404)


class TestList:
    @pytest.fixture
    def filled(self, client: TestClient) -> TestClient:
        _create(client, title="甲", product="课堂", tags=["音频"], status="published")
        _create(client, title="乙", product="课堂", tags=["音频", "网络"])
        _create(client, title="丙", product="报表", tags=["音"])
        return client

    def _titles(self, client: TestClient, **query: str | int) -> list[str]:
        return [article["title"] for article in client.get("/v1/knowledge", params=query).json()["articles"]]

    def test_the_newest_comes_first(self, filled: TestClient) -> None:
        assert self._titles(filled) == ["丙", "乙", "甲"]

    def test_a_page_begins_at_the_offset_and_ends_at_the_limit(self, filled: TestClient) -> None:
        assert self._titles(filled, offset=1, limit=1) == ["乙"]

    def test_the_total_counts_all_pages(self, filled: TestClient) -> None:
        assert filled.get("/v1/knowledge", params={"limit": 1}).json()["total"] == 3

    def test_a_page_behind_the_last_is_empty(self, filled: TestClient) -> None:
        assert self._titles(filled, offset=3) == []

    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ({"status": "published"}, ["甲"]),
            ({"product": "课堂"}, ["乙", "甲"]),
            ({"tag": "音频"}, ["乙", "甲"]),
            ({"tag": "音"}, ["丙"]),
            ({"tag": "%"}, []),
            ({"product": "课堂", "status": "draft"}, ["乙"]),
        ],
    )
    def test_a_filter_holds_for_every_article(
        self, filled: TestClient, query: dict[str, str], titles: list[str]
    ) -> None:
        assert self._titles(filled, **query) == titles

    def test_the_total_counts_what_the_filter_lets_through(self, filled: TestClient) -> None:
        assert filled.get("/v1/knowledge", params={"product": "课堂", "limit": 1}).json()["total"] == 2

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("limit", "0"),
            ("limit", "201"),
            ("offset", "-1"),
            ("offset", "99999999999999999999"),
            ("limit", "x"),
            ("status", "new"),
            ("product", ""),
            ("product", "\x00"),
            ("sort", "title"),
        ],
    )
    def test_a_wrong_query_names_the_field(self, service: TestClient, field: str, value: str) -> None:
        document = problem_of(service.get("/v1/knowledge", params={field: value}), 422)
        assert {name.rpartition(".")[2] for name in fields_of(document)} == {field}


class TestUpdate:
    def test_changes_the_given_fields_only(self, client: TestClient) -> None:
        response = client.post("/v1/knowledge", json=FULL)
        changed = client.patch(response.headers["location"], json={"title": "新标题", "tags": []}).json()
        assert {name: changed[name] for name in FULL} == {**FULL, "title": "新标题", "tags": []}

    def test_is_kept(self, client: TestClient) -> None:
        place = client.post("/v1/knowledge", json=FULL).headers["location"]
        changed = client.patch(place, json={"status": "archived"}).json()
        assert client.get(place).json() == changed

    def test_moves_the_time_of_the_last_change_and_not_that_of_creation(self, client: TestClient) -> None:
        before = _create(client)
        after = client.patch(f"/v1/knowledge/{before['id']}", json={"title": "新标题"}).json()
        assert after["updated_at"] > before["updated_at"]
        assert after["created_at"] == before["created_at"]

    def test_the_same_again_moves_no_time(self, client: TestClient) -> None:
        before = _create(client)
        after = client.patch(f"/v1/knowledge/{before['id']}", json={"title": before["title"]}).json()
        assert after == before

    @pytest.mark.parametrize("field", ["product", "external_id"])
    def test_null_takes_an_optional_field_away(self, client: TestClient, field: str) -> None:
        place = client.post("/v1/knowledge", json=FULL).headers["location"]
        assert client.patch(place, json={field: None}).json()[field] is None

    def test_an_external_id_of_another_article_is_a_conflict(self, client: TestClient) -> None:
        _create(client, external_id="KB-1")
        other = _create(client, external_id="KB-2")
        problem_of(client.patch(f"/v1/knowledge/{other['id']}", json={"external_id": "KB-1"}), 409)

    def test_a_conflict_changes_nothing(self, client: TestClient) -> None:
        _create(client, external_id="KB-1")
        other = _create(client, external_id="KB-2")
        client.patch(f"/v1/knowledge/{other['id']}", json={"external_id": "KB-1", "title": "新标题"})
        assert client.get(f"/v1/knowledge/{other['id']}").json() == other

    def test_an_unknown_number_is_not_found(self, client: TestClient) -> None:
        problem_of(client.patch("/v1/knowledge/1", json={"title": "新标题"}), 404)

    def test_personal_data_is_masked(self, client: TestClient) -> None:
        article = _create(client)
        changed = client.patch(f"/v1/knowledge/{article['id']}", json={"solution": "打 13812345678"}).json()
        assert changed["solution"] == "打 138****5678"


class TestDelete:
    def test_answers_204_without_a_body(self, client: TestClient) -> None:
        response = client.delete(f"/v1/knowledge/{_create(client)['id']}")
        assert (response.status_code, response.content) == (204, b"")

    def test_the_article_is_gone(self, client: TestClient) -> None:
        place = f"/v1/knowledge/{_create(client)['id']}"
        client.delete(place)
        problem_of(client.get(place), 404)

    def test_a_second_time_finds_nothing(self, client: TestClient) -> None:
        place = f"/v1/knowledge/{_create(client)['id']}"
        client.delete(place)
        problem_of(client.delete(place), 404)

    def test_frees_the_external_id(self, client: TestClient) -> None:
        client.delete(f"/v1/knowledge/{_create(client, external_id='KB-1')['id']}")
        assert client.post("/v1/knowledge", json=FULL).status_code == 201


class TestImport:
    def test_json_creates_articles(self, client: TestClient) -> None:
        response = client.post(IMPORT, json={"articles": [FULL, SHORT]})
        assert response.json() == {"created": 2, "updated": 0, "unchanged": 0, "rejected": []}

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("articles.jsonl", _jsonl(FULL, SHORT)),
            ("articles.ndjson", _jsonl(FULL, SHORT)),
            ("ARTICLES.JSONL", "\ufeff" + _jsonl(FULL, SHORT)),
            ("articles.jsonl", _jsonl(FULL) + "\n \n" + _jsonl(SHORT)),
            ("articles.csv", _csv(FULL, SHORT)),
            ("articles.csv", "\ufeff" + _csv(FULL, SHORT)),
        ],
    )
    def test_a_file_creates_articles(self, client: TestClient, name: str, content: str) -> None:
        assert _upload(client, name, content).json() == {"created": 2, "updated": 0, "unchanged": 0, "rejected": []}

    @pytest.mark.parametrize(("name", "content"), [("a.jsonl", _jsonl(FULL)), ("a.csv", _csv(FULL))])
    def test_a_file_keeps_every_field(self, client: TestClient, name: str, content: str) -> None:
        _upload(client, name, content)
        (article,) = client.get("/v1/knowledge").json()["articles"]
        assert {field: article[field] for field in FULL} == FULL

    def test_twice_the_same_changes_nothing(self, client: TestClient) -> None:
        client.post(IMPORT, json={"articles": [FULL]})
        before = client.get("/v1/knowledge").json()
        second = client.post(IMPORT, json={"articles": [FULL]}).json()
        assert second == {"created": 0, "updated": 0, "unchanged": 1, "rejected": []}
        assert client.get("/v1/knowledge").json() == before

    def test_twice_the_same_with_personal_data_changes_nothing(self, client: TestClient) -> None:
        record = {**FULL, "solution": "打 13812345678"}
        client.post(IMPORT, json={"articles": [record]})
        assert client.post(IMPORT, json={"articles": [record]}).json()["unchanged"] == 1

    def test_a_known_external_id_is_updated(self, client: TestClient) -> None:
        client.post(IMPORT, json={"articles": [FULL]})
        second = client.post(IMPORT, json={"articles": [{**FULL, "title": "新标题"}]}).json()
        assert second == {"created": 0, "updated": 1, "unchanged": 0, "rejected": []}
        assert [article["title"] for article in client.get("/v1/knowledge").json()["articles"]] == ["新标题"]

    def test_the_last_record_with_an_external_id_counts(self, client: TestClient) -> None:
        client.post(IMPORT, json={"articles": [FULL, {**FULL, "title": "新标题"}]})
        assert [article["title"] for article in client.get("/v1/knowledge").json()["articles"]] == ["新标题"]

    def test_personal_data_is_masked(self, client: TestClient) -> None:
        _upload(client, "a.jsonl", _jsonl({**FULL, "problem": "打 13812345678"}))
        assert client.get("/v1/knowledge").json()["articles"][0]["problem"] == "打 138****5678"

    def test_bad_records_are_listed_and_the_good_ones_count(self, client: TestClient) -> None:
        bad: list[object] = [{**SHORT, "title": ""}, {"title": "x"}, 7, None, {**SHORT, "colour": 1}]
        answer = client.post(IMPORT, json={"articles": [bad[0], SHORT, *bad[1:]]}).json()
        assert answer["created"] == 1
        assert [item["index"] for item in answer["rejected"]] == [0, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({**SHORT, "title": " "}, "title"),
            ({**SHORT, "title": 5}, "title"),
            ({**SHORT, "title": "长" * 201}, "title"),
            ({**SHORT, "problem": "长" * 2001}, "problem"),
            ({**SHORT, "solution": "🙂"}, "solution"),
            ({"title": "a", "problem": "b"}, "solution"),
            ({**SHORT, "tags": "音频"}, "tags"),
            ({**SHORT, "tags": ["t"] * 51}, "tags"),
            ({**SHORT, "status": "new"}, "status"),
            ({**SHORT, "colour": "red"}, "colour"),
            ({**SHORT, "title": "a\x00b"}, "title"),
        ],
    )
    def test_the_reason_names_the_field(self, client: TestClient, record: dict[str, Any], field: str) -> None:
        (rejected,) = client.post(IMPORT, json={"articles": [record]}).json()["rejected"]
        assert rejected["reason"].startswith(field)

    def test_a_lone_surrogate_is_a_bad_record(self, client: TestClient) -> None:
        body = b'{"articles": [{"title": "\\ud800", "problem": "b", "solution": "c"}]}'
        answer = client.post(IMPORT, content=body, headers={"Content-Type": "application/json"}).json()
        assert [item["index"] for item in answer["rejected"]] == [0]

    def test_the_reason_does_not_echo_the_value(self, client: TestClient) -> None:
        answer = client.post(IMPORT, json={"articles": [{**SHORT, "status": "13812345678"}]})
        assert len(answer.json()["rejected"]) == 1
        assert "13812345678" not in answer.text

    def test_a_line_that_is_not_json_is_a_bad_record(self, client: TestClient) -> None:
        answer = _upload(client, "a.jsonl", _jsonl(FULL) + "{\n" + _jsonl(SHORT)).json()
        assert (answer["created"], [item["index"] for item in answer["rejected"]]) == (2, [1])

    def test_a_deeply_nested_line_is_a_bad_record(self, client: TestClient) -> None:
        answer = _upload(client, "a.jsonl", "[" * 100_000 + "\n" + _jsonl(SHORT)).json()
        assert (answer["created"], [item["index"] for item in answer["rejected"]]) == (1, [0])

    def test_a_bad_row_of_a_csv_file_is_a_bad_record(self, client: TestClient) -> None:
        answer = _upload(client, "a.csv", _csv(FULL, {**SHORT, "title": ""}, SHORT)).json()
        assert (answer["created"], [item["index"] for item in answer["rejected"]]) == (2, [1])

    def test_a_csv_row_with_too_many_cells_is_a_bad_record(self, client: TestClient) -> None:
        answer = _upload(client, "a.csv", "title,problem,solution\na,b,c,d\na,b,c\n").json()
        assert (answer["created"], [item["index"] for item in answer["rejected"]]) == (1, [0])

    def test_cells_outside_the_header_are_not_echoed(self, client: TestClient) -> None:
        answer = _upload(client, "a.csv", "title,problem,solution\na,b,c,13812345678\n")
        assert len(answer.json()["rejected"]) == 1
        assert "13812345678" not in answer.text

    @pytest.mark.parametrize("separator", [";", "；", ",", "，", "、", "|"])
    def test_tags_of_a_csv_file_may_be_separated_in_the_usual_ways(self, client: TestClient, separator: str) -> None:
        _upload(client, "a.csv", f'title,problem,solution,tags\na,b,c,"音频{separator}网络"\n')
        assert client.get("/v1/knowledge").json()["articles"][0]["tags"] == ["音频", "网络"]

    def test_a_csv_file_with_line_breaks_in_cells_is_read(self, client: TestClient) -> None:
        _upload(client, "a.csv", 'title,problem,solution\na,b,"1. c\n2. d"\n')
        assert client.get("/v1/knowledge").json()["articles"][0]["solution"] == "1. c\n2. d"

    def test_exactly_1000_records_are_read(self, client: TestClient) -> None:
        records = [{"title": ""}] * 1000
        assert len(client.post(IMPORT, json={"articles": records}).json()["rejected"]) == 1000

    def test_more_than_1000_records_are_refused(self, client: TestClient) -> None:
        document = problem_of(client.post(IMPORT, json={"articles": [SHORT] * 1001}), 422)
        assert fields_of(document) == {"articles"}
        assert "1000" in document["detail"]

    @pytest.mark.parametrize(("name", "record"), [("a.jsonl", _jsonl(SHORT)), ("a.csv", "a,b,c\n")])
    def test_more_than_1000_records_of_a_file_are_refused(self, client: TestClient, name: str, record: str) -> None:
        head = "title,problem,solution\n" if name == "a.csv" else ""
        document = problem_of(_upload(client, name, head + record * 1001), 422)
        assert fields_of(document) == {"file"}
        assert "1000" in document["detail"]

    def test_too_many_records_store_nothing(self, client: TestClient) -> None:
        client.post(IMPORT, json={"articles": [SHORT] * 1001})
        assert _total(client) == 0


class TestRefusedUploads:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.txt", _jsonl(SHORT).encode()),
            ("a", _jsonl(SHORT).encode()),
            ("a.jsonl", b""),
            ("a.jsonl", b"\n\n"),
            ("a.csv", b""),
            ("a.csv", b"title,problem,solution\n"),
            ("a.csv", b"title,problem\na,b\n"),
            ("a.csv", b"title,problem,solution,colour\na,b,c,d\n"),
            ("a.jsonl", b'{"title": "\xff"}'),
            ("a.csv", "标题,问题".encode("gb18030")),
            ("a.csv", b'"title,problem,solution'),
        ],
    )
    def test_a_file_that_cannot_be_read_is_named(self, service: TestClient, name: str, content: bytes) -> None:
        assert fields_of(problem_of(_upload(service, name, content), 422)) == {"file"}

    def test_a_csv_file_without_header_is_not_echoed(self, service: TestClient) -> None:
        answer = _upload(service, "a.csv", "登录失败,请联系 13812345678,重启\n")
        problem_of(answer, 422)
        assert "13812345678" not in answer.text

    def test_a_form_without_a_file_is_refused(self, service: TestClient) -> None:
        answer = service.post(IMPORT, files={"other": ("a.jsonl", b"{}", "text/plain")})
        assert fields_of(problem_of(answer, 422)) == {"file"}

    def test_a_file_sent_as_plain_text_is_refused(self, service: TestClient) -> None:
        body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n{}\r\n--b--\r\n'
        answer = service.post(IMPORT, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert fields_of(problem_of(answer, 422)) == {"file"}

    def test_two_files_are_refused(self, service: TestClient) -> None:
        part = ("a.jsonl", _jsonl(SHORT).encode(), "text/plain")
        problem_of(service.post(IMPORT, files=[("file", part), ("file", part)]), 400)

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("multipart/form-data", b"--b--"),
            ("multipart/form-data; boundary=b", b""),
            ("multipart/form-data; boundary=b", b"not a form"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
            ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv'),
            (
                "multipart/form-data; boundary=b; charset=none",
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\nx\r\n--b--\r\n',
            ),
        ],
    )
    def test_a_broken_form_is_refused(self, service: TestClient, content_type: str, body: bytes) -> None:
        answer = service.post(IMPORT, content=body, headers={"Content-Type": content_type})
        problem_of(answer, answer.status_code)
        assert answer.status_code in {400, 422}
