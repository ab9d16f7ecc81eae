"""PDF: sections by bookmarks or by the size of the type; what has no text says that it is probably scanned."""

import io

import pytest
from pypdf import PdfReader, PdfWriter

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats import pdf as pdf_format
from tests.knowledge.formats.samples import entries, good, pdf

TEXT = "请先检查网络连接,再确认账号没有被锁定。"


def _encrypted(to_open: str) -> bytes:
    writer, stream = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([(20, "登录"), (11, TEXT)])))), io.BytesIO()
    writer.encrypt(to_open, "to change", algorithm="RC4-128")
    writer.write(stream)
    return stream.getvalue()


def _solutions(*pages: list[tuple[int, str]]) -> list[str]:
    return [entry.article.solution for entry in good("a.pdf", pdf(*pages))]


def test_lines_in_larger_type_are_headings() -> None:
    found = good("a.pdf", pdf([(20, "手册"), (15, "登录"), (11, TEXT), (15, "导出"), (11, TEXT)]))
    assert [entry.article.title for entry in found] == ["手册 / 登录", "手册 / 导出"]


def test_bookmarks_are_headings_whatever_the_size() -> None:
    lines = [(11, "1.1 登录"), (11, TEXT), (11, "导出"), (11, TEXT)]
    found = good("a.pdf", pdf(lines, bookmarks=[("登录", 0), ("导出", 0)]))
    assert [(entry.article.title, entry.article.solution) for entry in found] == [("登录", TEXT), ("导出", TEXT)]


def test_a_bookmark_that_no_line_names_begins_at_its_page() -> None:
    found = good("a.pdf", pdf([(11, TEXT)], [(11, TEXT)], bookmarks=[("第二章", 1)]))
    assert [entry.article.title for entry in found] == ["a", "第二章"]


def test_a_place_is_page_and_section() -> None:
    found = good("a.pdf", pdf([(20, "登录"), (11, TEXT)], [(20, "导出"), (11, TEXT)]))
    assert [entry.place.partition(" · ")[2] for entry in found] == ["page 1, section “登录”", "page 2, section “导出”"]


def test_a_section_goes_on_over_pages() -> None:
    assert _solutions([(20, "登录"), (11, TEXT)], [(11, "然后重启。")]) == [f"{TEXT}\n然后重启。"]


def test_lines_that_the_page_width_broke_are_joined() -> None:
    lines = [(20, "登录"), (11, "请先检查网络连接,再确认账"), (11, "号没有被锁定。"), (11, "重启。")]
    assert _solutions(lines) == ["请先检查网络连接,再确认账号没有被锁定。\n重启。"]


def test_latin_lines_are_joined_with_a_space() -> None:
    lines = [(20, "Login"), (11, "Check the network connection first and then"), (11, "restart the program.")]
    assert _solutions(lines) == ["Check the network connection first and then restart the program."]


def test_items_are_not_joined() -> None:
    lines = [(20, "登录"), (11, "1. 打开设置页面清除缓存"), (11, "2. 重启")]
    assert _solutions(lines) == ["1. 打开设置页面清除缓存\n2. 重启"]


def test_page_numbers_and_running_lines_are_dropped() -> None:
    pages = [
        [(9, f"产品手册 第{page}版 {page}"), (11, f"{TEXT}{mark}。"), (9, f"- {page} -")]
        for page, mark in enumerate("甲乙丙", 1)
    ]
    assert _solutions(*pages) == ["\n".join(f"{TEXT}{mark}。" for mark in "甲乙丙")]


def test_a_large_line_at_the_head_of_every_page_is_no_running_line() -> None:
    pages = [[(20, f"问题{page}"), (11, TEXT), (11, f"{TEXT}{mark}")] for page, mark in enumerate("甲乙丙", 1)]
    assert len(_solutions(*pages)) == 3


def test_without_headings_the_name_of_the_file_is_the_title() -> None:
    (entry,) = good("docs/登录手册.pdf", pdf([(11, TEXT)]))
    assert (entry.article.title, entry.article.external_id) == ("登录手册", "docs/登录手册.pdf")


def test_a_pdf_without_text_is_probably_scanned() -> None:
    with pytest.raises(InvalidRecord, match="probably scanned"):
        entries("a.pdf", pdf([], []))


def test_a_pdf_that_needs_a_password_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="encrypted"):
        entries("a.pdf", _encrypted("secret"))


def test_a_pdf_that_only_forbids_copying_is_read() -> None:
    assert len(good("a.pdf", _encrypted(""))) == 1


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7\n", b"hello", pdf([(11, TEXT)])[:300]], ids=["empty", "head", "text", "cut"]
)
def test_a_broken_pdf_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRecord, match=r"damaged|scanned"):
        entries("a.pdf", content)


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_format, "MAX_PAGES", 2)
    with pytest.raises(InvalidRecord, match="more than 2 pages"):
        entries("a.pdf", pdf([], [], [(11, TEXT)]))
