"""XLSX: rows of every visible sheet; formulas give their stored value; what is bad names sheet, row and cell."""

import io
import re
import zipfile
from datetime import UTC, date, datetime

import pytest
from openpyxl import Workbook, load_workbook

from nlp_service.errors import InvalidRecord
from tests.knowledge.formats.samples import archive, bad, entries, good, xlsx

HEADER = ("title", "problem", "solution")
ROW = ("登录失败", "提示超时", "重试")


def _edited(book: bytes, pattern: str, replacement: str, part: str = "xl/worksheets/sheet1.xml") -> bytes:
    """The workbook with a part of it changed, as no library would write it."""
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    changed, count = re.subn(pattern.encode(), replacement.encode(), files[part])
    assert count
    return archive({**files, part: changed})


def test_a_row_is_a_record() -> None:
    (entry,) = good("a.xlsx", xlsx((*HEADER, "tags", "product"), (*ROW, "音频;网络", "课堂")))
    article = entry.article
    assert (article.title, article.tags, article.product) == ("登录失败", ["音频", "网络"], "课堂")


def test_a_place_is_sheet_and_row() -> None:
    (entry,) = good("a.xlsx", xlsx(HEADER, (None, None, None), ROW))
    assert "sheet Sheet, row 3" in entry.place


def test_rows_above_the_header_may_be_blank() -> None:
    assert len(good("a.xlsx", xlsx((None,), HEADER, ROW))) == 1


def test_blank_rows_and_cells_behind_the_last_column_are_passed_over() -> None:
    assert len(good("a.xlsx", xlsx((*HEADER, None), (*ROW, None), (None,) * 4))) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (3.5, "3.5"),
        (42, "42"),
        (True, "True"),
        (date(2026, 11, 22), "2026-11-22"),
        (datetime(2026, 11, 22, 8, 30, tzinfo=UTC).replace(tzinfo=None), "2026-11-22 08:30:00"),
    ],
)
def test_what_is_no_text_is_written_out(value: object, text: str) -> None:
    (entry,) = good("a.xlsx", xlsx(HEADER, ("登录失败", value, "重试")))
    assert entry.article.problem == text


def test_a_line_end_that_the_format_escapes_is_one() -> None:
    (entry,) = good("a.xlsx", xlsx(HEADER, ("登录失败", "提示_x000D_\n超时", "重试")))
    assert entry.article.problem == "提示\r\n超时"


def test_a_formula_gives_the_value_that_was_stored_with_it() -> None:
    book = _edited(xlsx(HEADER, ("登录失败", "=1+1", "重试")), "<v */>|<v></v>", "<v>2</v>")
    (entry,) = good("a.xlsx", book)
    assert entry.article.problem == "2"


def test_a_formula_without_a_stored_value_names_its_cell() -> None:
    (entry,) = bad("a.xlsx", xlsx(HEADER, ROW, ("登录失败", "=1+1", "重试")))
    assert "row 3" in entry.place
    assert "the formula in cell B3 has no stored value" in entry.reason


def test_a_formula_whose_stored_text_is_empty_is_an_empty_cell() -> None:
    book = _edited(xlsx((*HEADER, "product"), (*ROW, '=""')), '<c r="D2"[^>]*>', '<c r="D2" t="str">')
    (entry,) = good("a.xlsx", book)
    assert entry.article.product is None


def test_an_error_value_names_its_cell() -> None:
    (entry,) = bad("a.xlsx", xlsx(HEADER, ("#REF!", "提示超时", "重试")))
    assert "cell A2 holds an error value" in entry.reason


def test_good_rows_around_a_bad_one_are_kept() -> None:
    book = xlsx(HEADER, ROW, ("", "提示超时", "重试"), ROW)
    assert len(entries("a.xlsx", book)) == 3
    assert [entry.reason[:7] for entry in bad("a.xlsx", book)] == ["title: "]


def test_every_visible_sheet_is_read() -> None:
    assert len(good("a.xlsx", xlsx(HEADER, ROW, Second=[HEADER, ROW]))) == 2


def test_a_hidden_sheet_is_passed_over() -> None:
    book = load_workbook(io.BytesIO(xlsx(HEADER, ROW, Lists=[("colour",)])))
    book["Lists"].sheet_state = "hidden"
    stream = io.BytesIO()
    book.save(stream)
    assert len(good("a.xlsx", stream.getvalue())) == 1


def test_an_empty_sheet_is_passed_over() -> None:
    assert len(good("a.xlsx", xlsx(HEADER, ROW, Second=[]))) == 1


def test_a_sheet_with_another_header_is_one_bad_record() -> None:
    (entry,) = bad("a.xlsx", xlsx(HEADER, ROW, Colours=[("colour",), ("red",)]))
    assert entry.place.endswith("sheet Colours")
    assert "unknown column number 1" in entry.reason


def test_a_workbook_without_a_right_header_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="unknown column number 1"):
        entries("a.xlsx", xlsx(("主题", "problem", "solution"), ROW))


def test_a_wrong_note_of_the_size_hides_nothing() -> None:
    book = _edited(xlsx(HEADER, ROW), "<sheetData>", '<dimension ref="A1"/><sheetData>')
    assert len(good("a.xlsx", book)) == 1


def test_a_cell_far_to_the_right_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="1,000 columns"):
        entries("a.xlsx", _edited(xlsx(HEADER, ROW), 'r="C2"', 'r="XFD2"'))


def test_a_row_beyond_the_last_of_the_format_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="1,048,576 rows"):
        entries("a.xlsx", _edited(xlsx(HEADER, ROW), '<row r="2"', '<row r="99999999"'))


def test_a_sheet_that_breaks_off_is_refused_after_its_good_rows() -> None:
    book = _edited(xlsx(HEADER, *[ROW] * 3), '(?s)<row r="4".*', "<row r")
    with pytest.raises(InvalidRecord, match="damaged"):
        entries("a.xlsx", book)


def test_a_workbook_without_sheets_to_read_has_no_records() -> None:
    book, stream = Workbook(), io.BytesIO()
    book.save(stream)
    assert entries("a.xlsx", stream.getvalue()) == []
