"""Cells: harmless in a spreadsheet, and read back as they were."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.knowledge.formats.table import COLUMNS, FORMULA, cells, join_tags, protect, split_tags, unprotect
from tests.knowledge.formats.samples import good

TAG = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)
RECORD = {
    "title": "=cmd|' /C calc'!A1",
    "problem": '他说 "超时"\n然后,退出 👩‍💻',
    "scenario": "",
    "solution": "- 第一步\r\n- 第二步;'=x",
    "tags": ["a,b", "音频、网络", "[x]"],
    "product": "'+课堂",
    "external_id": "@KB-1",
    "status": "published",
}


@given(st.text())
def test_what_is_protected_is_never_run(text: str) -> None:
    assert not protect(text).startswith(FORMULA)


@given(st.text(alphabet="'=+-@\t\ra"))
def test_protection_is_taken_away_exactly(text: str) -> None:
    assert unprotect(protect(text)) == text


@given(st.lists(TAG, max_size=5))
def test_tags_are_read_back_from_their_cell(tags: list[str]) -> None:
    assert split_tags(join_tags(tags)) == tags


def test_plain_tags_are_separated_by_semicolons() -> None:
    assert join_tags(["音频", "网络"]) == "音频;网络"


@pytest.mark.parametrize("cell", ["[音频", "[1, 2]", "[" * 5000])
def test_a_cell_that_only_looks_like_a_list_is_split_as_usual(cell: str) -> None:
    assert split_tags(cell) == [part.strip() for part in cell.split(",")]


def test_a_record_is_read_back_from_its_row() -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([COLUMNS, cells(RECORD)])
    (entry,) = good("a.csv", stream.getvalue())
    assert entry.article.model_dump() == RECORD
