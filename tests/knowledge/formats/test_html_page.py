"""HTML: headings and paragraphs as a reader sees them; nothing is run or fetched."""

import time

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.blocks import Heading, Paragraph
from nlp_service.knowledge.formats.html_page import html_content
from tests.knowledge.formats.samples import entries, good

TEXT = "请先检查网络连接,再确认账号没有被锁定。"


def _texts(html: str) -> list[str]:
    return [block.text for block in html_content(html).blocks]


def test_headings_keep_their_level() -> None:
    assert html_content("<h1>手册</h1><h3>登录</h3>").blocks == [Heading(1, "手册"), Heading(3, "登录")]


def test_marks_inside_of_a_line_disappear() -> None:
    assert _texts("<p>提示 <b>809</b> 与 <code>a_b</code></p>") == ["提示 809 与 a_b"]


def test_space_is_one_space() -> None:
    assert _texts("<p> a \n\t b&nbsp;&nbsp;c </p>") == ["a b c"]


def test_a_line_end_between_chinese_characters_is_none() -> None:
    assert _texts("<p>点连接后\n  提示超时</p>") == ["点连接后提示超时"]


def test_a_forced_line_end_stays() -> None:
    assert _texts("<p>一<br> 二</p>") == ["一\n二"]


def test_items_of_lists_are_marked_and_nested_ones_indented() -> None:
    html = "<ol start='3'><li>一<ul><li>甲</li></ul></li><li><p>二</p></li></ol><ul><li>三</li></ul>"
    assert _texts(html) == ["3. 一", "  - 甲", "4. 二", "- 三"]


def test_a_row_of_a_table_is_a_line() -> None:
    html = "<table><tr><th>码</th><th>含义</th></tr><tr><td><p>809</p></td><td><ul><li>超时</li></ul></td></tr></table>"
    assert _texts(html) == ["码 | 含义", "809 | 超时"]


def test_code_keeps_its_lines_and_indents() -> None:
    assert _texts("<pre>\nif a:\n    b\n</pre>") == ["if a:\n    b"]


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("<a href='https://example.com/a'>说明</a>", "说明 (https://example.com/a)"),
        ("<a href='https://example.com/a'>https://example.com/a</a>", "https://example.com/a"),
        ("<a href='javascript:alert(1)'>说明</a>", "说明"),
        ("<a href='../b.html'>说明</a>", "说明"),
        ("<a name='x'>说明</a>", "说明"),
    ],
)
def test_a_link_keeps_an_address_on_the_web(link: str, text: str) -> None:
    assert _texts(f"<p>{link}</p>") == [text]


def test_a_picture_is_its_description() -> None:
    assert _texts("<p>点<img src='http://example.invalid/a.png' alt='齿轮 图标'><img src='b.png'></p>") == [
        "点[齿轮 图标]"
    ]


@pytest.mark.parametrize(
    "dropped",
    [
        "<script>alert('x')</script>",
        "<script>document.write('<p>x</p>')",
        "<style>p { color: red }</style>",
        "<template><p>x</p></template>",
        "<noscript><p>x</p></noscript>",
        "<iframe src='https://example.invalid'>x</iframe>",
        "<object data='x'><p>x</p></object>",
        "<svg><title>x</title><script>x</script></svg>",
        "<nav><ul><li>x</li></ul></nav>",
        "<footer><p>x</p></footer>",
        "<button>x</button><select><option>x</option></select><textarea>x</textarea>",
        "<p hidden>x <b>y</b></p>",
        "<!-- x --><?php x ?>",
    ],
)
def test_what_is_not_said_to_readers_is_dropped(dropped: str) -> None:
    assert html_content(f"<p>前</p>{dropped}").blocks == [Paragraph("前")]


def test_what_follows_something_dropped_is_kept() -> None:
    assert _texts("<nav><ul><li>x</ul></nav><script>y</script><p>后</p>") == ["后"]


def test_entities_are_characters() -> None:
    assert _texts("<p>&lt;b&gt; &amp; &#x4E2D;</p>") == ["<b> & 中"]


def test_a_declared_entity_is_not_expanded() -> None:
    page = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/hostname">]><p>a &x; b</p>'
    assert "a &x; b" in "".join(_texts(page))


def test_the_title_of_the_page_names_what_stands_before_the_first_heading() -> None:
    (entry,) = good("a.html", f"<title> 登录\n手册 </title><p>{TEXT}</p>")
    assert entry.article.title == "登录 手册"


def test_sections_become_articles() -> None:
    found = good("a.htm", f"<h1>手册</h1><h2>登录</h2><p>{TEXT}</p><h2>导出</h2><p>{TEXT}</p>")
    assert [entry.article.title for entry in found] == ["手册 / 登录", "手册 / 导出"]


@pytest.mark.parametrize(
    "declaration", ["<meta charset=gbk>", "<meta http-equiv=a content='text/html; charset=GB2312'>", ""]
)
def test_a_page_in_a_chinese_encoding_is_read(declaration: str) -> None:
    (entry,) = good("a.html", f"{declaration}<h1>登录</h1><p>{TEXT}</p>".encode("gb18030"))
    assert entry.article.solution == TEXT


def test_a_page_in_utf_8_that_was_declared_otherwise_is_told_by_its_mark() -> None:
    (entry,) = good("a.html", f"\ufeff<meta charset=gbk><h1>登录</h1><p>{TEXT}</p>")
    assert entry.article.solution == TEXT


def test_a_broken_byte_is_named() -> None:
    with pytest.raises(InvalidRecord, match="not UTF-8 at byte 22"):
        entries("a.html", b"<meta charset=utf-8>ab\xff")


@pytest.mark.parametrize("page", ["", " \n", "<p></p>", "<h1>标题</h1>", "<script>x</script>"])
def test_a_page_without_text_is_refused(page: str) -> None:
    with pytest.raises(InvalidRecord, match="no text"):
        entries("a.html", page)


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000,
        "<!--" * 100_000,
        "<a " * 100_000,
        "<td>" * 100_000,
        "<ol><li>" * 50_000,
        "<b id=x><p>" * 50_000,
    ],
    ids=["nested", "comments", "tags", "cells", "lists", "formats"],
)
def test_no_page_takes_quadratic_time(page: str) -> None:
    started = time.process_time()
    html_content(page)
    assert time.process_time() - started < 10
