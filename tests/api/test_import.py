"""POST /v1/knowledge/import with files of every kind."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.expectations import Answer, fields_of, problem_of
from tests.knowledge.formats.samples import docx, pdf, xlsx

IMPORT = "/v1/knowledge/import"
TEXT = "请先检查网络连接,再确认账号没有被锁定。"
HEADER, ROW = ("title", "problem", "solution"), ("登录失败", "提示超时", "重试")
SHORT = {"title": "导出失败", "problem": "导出超时。", "solution": "分批导出。"}
DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "登录.md": lambda: f"# 登录\n\n{TEXT}\n".encode(),
    "登录.html": lambda: f"<h1>登录</h1><p>{TEXT}</p><script>alert(1)</script>".encode(),
    "登录.HTM": lambda: f"<meta charset=gbk><h1>登录</h1><p>{TEXT}</p>".encode("gb18030"),
    "登录.docx": lambda: docx((1, "登录"), (0, TEXT)),
    "登录.pdf": lambda: pdf([(20, "登录"), (11, TEXT)]),
    "登录.xlsx": lambda: xlsx(HEADER, ("登录", "提示超时", TEXT)),
}


def _upload(client: TestClient, name: str, content: str | bytes) -> Answer:
    data = content.encode() if isinstance(content, str) else content
    return client.post(IMPORT, files={"file": (name, data, "application/octet-stream")})


def _articles(client: TestClient) -> list[dict[str, Any]]:
    articles: list[dict[str, Any]] = client.get("/v1/knowledge").json()["articles"]
    return articles


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_becomes_articles(client: TestClient, name: str) -> None:
    assert _upload(client, name, DOCUMENTS[name]()).json() == {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "rejected": [],
    }
    assert [(article["title"], article["solution"]) for article in _articles(client)] == [("登录", TEXT)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_same_document_again_changes_nothing(client: TestClient, name: str) -> None:
    content = DOCUMENTS[name]()
    _upload(client, name, content)
    assert _upload(client, name, content).json()["unchanged"] == 1


@pytest.mark.parametrize("name", ["docs/login.md", "C:\\docs\\login.md", "login.md"])
def test_a_document_is_known_by_the_name_of_the_file_alone(client: TestClient, name: str) -> None:
    _upload(client, name, f"# 登录\n\n{TEXT}\n")
    assert [article["external_id"] for article in _articles(client)] == ["login.md#登录"]


def test_an_edited_section_updates_its_article(client: TestClient) -> None:
    _upload(client, "a.md", f"# 登录\n\n{TEXT}\n\n# 导出\n\n{TEXT}\n")
    answer = _upload(client, "a.md", f"# 登录\n\n{TEXT}\n\n# 导出\n\n{TEXT}重启。\n").json()
    assert (answer["created"], answer["updated"], answer["unchanged"]) == (0, 1, 1)


def test_a_bad_section_is_listed_with_its_place(client: TestClient) -> None:
    answer = _upload(client, "a.md", f"# 登录\n\n{TEXT}\n\n# 导出\n\n待补\n").json()
    (rejected,) = answer["rejected"]
    assert (answer["created"], rejected["index"]) == (1, 1)
    assert rejected["place"].endswith("section “导出”")


def test_a_bad_row_is_listed_with_its_place(client: TestClient) -> None:
    (rejected,) = _upload(client, "a.xlsx", xlsx(HEADER, ROW, ("", *ROW[1:]))).json()["rejected"]
    assert rejected["index"] == 1
    assert rejected["place"].endswith("sheet Sheet, row 3")
    assert rejected["reason"].startswith("title: ")


def test_a_bad_record_of_json_has_an_index_and_no_place(client: TestClient) -> None:
    (rejected,) = client.post(IMPORT, json={"articles": [{**SHORT, "title": ""}]}).json()["rejected"]
    assert (rejected["index"], rejected["place"]) == (0, None)


def test_a_csv_file_of_a_spreadsheet_in_gb18030_is_read(client: TestClient) -> None:
    _upload(client, "a.csv", f"title,problem,solution\r\n{','.join(ROW)}\r\n".encode("gb18030"))
    assert [article["title"] for article in _articles(client)] == ["登录失败"]


def test_a_record_of_a_file_without_external_id_is_not_doubled(client: TestClient) -> None:
    content = f"title,problem,solution\n{','.join(ROW)}\n"
    _upload(client, "a.csv", content)
    assert _upload(client, "b.csv", content).json()["unchanged"] == 1


def test_a_record_of_a_file_finds_the_article_that_was_created_without_external_id(client: TestClient) -> None:
    client.post("/v1/knowledge", json=SHORT)
    content = f"{','.join(SHORT)},status\n{','.join(SHORT.values())},published\n"
    assert _upload(client, "a.csv", content).json()["updated"] == 1
    assert [(article["external_id"], article["status"]) for article in _articles(client)] == [(None, "published")]


def test_a_record_of_json_without_external_id_is_new_each_time(client: TestClient) -> None:
    for _ in range(2):
        client.post(IMPORT, json={"articles": [SHORT]})
    assert len(_articles(client)) == 2


def test_a_broken_byte_of_a_jsonl_file_costs_its_own_record_alone(client: TestClient) -> None:
    good = b'{"title": "a", "problem": "b", "solution": "c"}\n'
    answer = _upload(client, "a.jsonl", good + b'{"title": "\xff"}\n').json()
    assert (answer["created"], [bad["index"] for bad in answer["rejected"]]) == (1, [1])


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "content", "detail"),
        [
            ("a.pdf", b"%PDF-1.7", "damaged"),
            ("a.pdf", pdf([]), "probably scanned"),
            ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted"),
            ("a.docx", docx((0, TEXT))[:200], "damaged"),
            ("a.xlsx", xlsx(("colour",), ("red",)), "unknown column number 1"),
            ("a.md", b"# \xff\n", "not UTF-8 at byte 2"),
            ("a.md", b"---\ntitle: [\n---\n", "not valid YAML"),
            ("a.html", b"<h1>a</h1>", "no text"),
            ("a.jsonl", b'{"title": "\xff"}', "not UTF-8 at byte 11"),
            ("a.txt", b"x", "only .jsonl and .csv, and documents"),
        ],
    )
    def test_a_document_that_cannot_be_read_says_why(
        self, service: TestClient, name: str, content: bytes, detail: str
    ) -> None:
        document = problem_of(_upload(service, name, content), 422)
        assert fields_of(document) == {"file"}
        assert detail in document["detail"]

    def test_more_than_1000_sections_are_refused(self, client: TestClient) -> None:
        answer = _upload(client, "a.md", f"# 登录\n\n{TEXT}\n\n" * 1001)
        assert "1000" in problem_of(answer, 422)["detail"]
        assert _articles(client) == []
