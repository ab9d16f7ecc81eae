"""Markdown: sections as in other documents, and the front matter's fields."""

import pytest

from nlp_service.errors import InvalidRecord
from tests.knowledge.formats.samples import bad, entries, good

TEXT = "请先检查网络连接,再确认账号没有被锁定。"


def _solution(text: str) -> str:
    (entry,) = good("a.md", f"# 登录\n\n{text}\n")
    return entry.article.solution


def test_sections_become_articles() -> None:
    found = good("a.md", f"# 手册\n\n## 登录\n\n{TEXT}\n\n导出\n----\n\n{TEXT}\n")
    assert [entry.article.title for entry in found] == ["手册 / 登录", "手册 / 导出"]


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("1. 打开 **设置** 页\n2. 清除 `Cookie` 后重启", "1. 打开 设置 页\n2. 清除 Cookie 后重启"),
        ("详细步骤见[说明](https://example.com/a)", "详细步骤见说明 (https://example.com/a)"),
        ("```sh\nnetsh  reset # 重置\n```", "netsh  reset # 重置"),
        ("|错误码|含义|\n|-|-|\n|809|`连接超时`|", "错误码 | 含义\n809 | 连接超时"),
    ],
    ids=["list", "link", "code", "table"],
)
def test_marks_become_plain_text(marked: str, plain: str) -> None:
    assert _solution(marked) == plain


def test_a_heading_sign_in_code_is_none() -> None:
    assert _solution(f"{TEXT}\n\n    # 注释") == f"{TEXT}\n# 注释"


def test_html_is_read_and_scripts_are_dropped() -> None:
    assert _solution(f"{TEXT}\n\n<script>alert(1)</script>\n\n<b>重启</b> <script>x</script>") == f"{TEXT}\n重启"


def test_a_paragraph_that_would_take_long_to_parse_stays_as_written() -> None:
    assert _solution(f"{TEXT}{'[' * 6000}").endswith("[")


class TestFrontMatter:
    def test_its_fields_are_the_articles(self) -> None:
        front = "---\ntitle: 登录手册\ntags: [登录, 密码]\nproduct: 课堂\nexternal_id: KB-9\nstatus: published\n---\n"
        (entry,) = good("a.md", f"{front}\n{TEXT}\n")
        assert entry.article.model_dump() == {
            "title": "登录手册",
            "problem": "登录手册",
            "scenario": "",
            "solution": TEXT,
            "tags": ["登录", "密码"],
            "product": "课堂",
            "external_id": "KB-9",
            "status": "published",
        }

    def test_its_title_stands_before_the_headings(self) -> None:
        (entry,) = good("a.md", f"---\ntitle: 手册\n---\n# 登录\n\n{TEXT}\n")
        assert entry.article.title == "手册 / 登录"

    def test_its_title_is_not_said_twice(self) -> None:
        (entry,) = good("a.md", f"---\ntitle: 登录\n---\n# 登录\n\n{TEXT}\n")
        assert entry.article.title == "登录"

    def test_its_external_id_is_the_first_articles(self) -> None:
        found = good("a.md", f"---\nexternal_id: KB-9\n---\n# 登录\n\n{TEXT}\n\n# 导出\n\n{TEXT}\n")
        assert [entry.article.external_id for entry in found] == ["KB-9", "KB-9#导出"]

    def test_what_it_does_not_say_is_not_invented(self) -> None:
        (entry,) = good("a.md", f"---\ntitle: 登录\ndate: 2026-11-22\n---\n{TEXT}")
        assert not {"tags", "product", "status"} & entry.article.model_fields_set

    @pytest.mark.parametrize(
        ("line", "field", "value"),
        [
            ("external_id: 42", "external_id", "42"),
            ("product: 2026", "product", "2026"),
            ("title: 2026-11-22", "title", "2026-11-22"),
            ("tags: 音频、网络", "tags", ["音频", "网络"]),
            ("tags: [vpn, 2024]", "tags", ["vpn", "2024"]),
            ("tags:", "tags", []),
            ("product:", "product", None),
        ],
    )
    def test_what_yaml_reads_as_something_else_is_text(self, line: str, field: str, value: object) -> None:
        (entry,) = good("a.md", f"---\n{line}\n---\n{TEXT}")
        assert getattr(entry.article, field) == value

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ("status: done", "status"),
            ("tags: {a: b}", "tags"),
            ("tags: [[a]]", "tags.0"),
            ("external_id: 13812345678", "external_id"),
        ],
    )
    def test_a_wrong_value_names_its_field(self, line: str, field: str) -> None:
        (entry,) = bad("a.md", f"---\n{line}\n---\n{TEXT}")
        assert entry.reason.startswith(f"{field}: ")

    @pytest.mark.parametrize("front", ["title: [", "a: b: c", "title: !!python/object:os.system x", "[" * 3000])
    def test_what_is_no_plain_yaml_is_refused(self, front: str) -> None:
        with pytest.raises(InvalidRecord, match="not valid YAML"):
            entries("a.md", f"---\n{front}\n---\n{TEXT}")

    def test_a_title_that_is_no_text_is_refused(self) -> None:
        with pytest.raises(InvalidRecord, match="title"):
            entries("a.md", f"---\ntitle: [a]\n---\n{TEXT}")

    def test_lines_between_rules_are_none(self) -> None:
        (entry,) = good("a.md", f"---\n\n{TEXT}\n\n---\n\n{TEXT}")
        assert entry.article.solution == f"{TEXT}\n{TEXT}"

    def test_windows_line_ends_and_a_byte_order_mark_are_accepted(self) -> None:
        (entry,) = good("a.md", f"\ufeff---\r\nproduct: 课堂\r\n---\r\n{TEXT}")
        assert entry.article.product == "课堂"


def test_a_broken_byte_is_named() -> None:
    with pytest.raises(InvalidRecord, match="not UTF-8 at byte 4"):
        entries("a.md", b"# ab\xff\n")
