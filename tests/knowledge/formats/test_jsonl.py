"""JSON Lines: good records are kept, bad ones are reported with line, record and reason."""

import io
import json

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.registry import read
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad
from tests.knowledge.formats.samples import bad, entries, good

GOOD = json.dumps({"title": "登录失败", "problem": "提示超时", "solution": "重试"}, ensure_ascii=False)


def _jsonl(*lines: str | bytes) -> bytes:
    return b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)


def test_every_line_is_a_record() -> None:
    assert [entry.article.title for entry in good("a.jsonl", _jsonl(GOOD, GOOD, ""))] == ["登录失败", "登录失败"]


def test_a_place_is_the_line_and_the_number_among_the_records() -> None:
    (entry,) = good("a.jsonl", _jsonl("", "  ", GOOD))
    assert "line 3, record 1" in entry.place


def test_ndjson_is_json_lines() -> None:
    assert len(good("A.NDJSON", GOOD)) == 1


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    assert len(good("a.jsonl", f"\ufeff{GOOD}\r\n{GOOD}\r\n")) == 2


def test_a_line_separator_inside_a_text_ends_no_record() -> None:
    (entry,) = good("a.jsonl", GOOD.replace("提示超时", "提示\u2028超时\x85完"))
    assert entry.article.problem == "提示\u2028超时\x85完"


@pytest.mark.parametrize(
    "line",
    ["{", '{"title": ', "登录失败", "{'title': 1}", "[" * 100_000, "9" * 5000, '{"title": "a\x00"}', '"\\ud8'],
    ids=["brace", "cut", "text", "single quotes", "deep", "huge number", "raw NUL", "cut escape"],
)
def test_a_line_that_is_no_json_is_a_bad_record(line: str) -> None:
    (entry,) = bad("a.jsonl", _jsonl(GOOD, line, GOOD))
    assert "line 2, record 2" in entry.place
    assert "not valid JSON" in entry.reason


def test_a_line_that_is_cut_is_said_to_end_too_early_in_its_last_column() -> None:
    (entry,) = bad("a.jsonl", _jsonl('{"title": "a"', GOOD))
    assert entry.reason.endswith("column 14)")


@pytest.mark.parametrize("line", ["[]", "null", "3", '"登录失败"', "NaN"])
def test_json_that_is_no_object_is_a_bad_record(line: str) -> None:
    assert ["record 2" in entry.place for entry in bad("a.jsonl", _jsonl(GOOD, line))] == [True]


def test_a_deeply_nested_field_is_reported_by_name() -> None:
    (entry,) = bad("a.jsonl", GOOD[:-1] + ', "tags": [' + "[" * 300 + "]" * 300 + "]}")
    assert entry.reason.startswith("tags.0: ")


def test_a_lone_surrogate_is_reported_by_its_field() -> None:
    (entry,) = bad("a.jsonl", GOOD.replace("重试", "\\ud800"))
    assert entry.reason.startswith("solution: ")


def test_good_records_around_a_bad_one_are_kept() -> None:
    assert [isinstance(entry, Bad) for entry in entries("a.jsonl", _jsonl(GOOD, "{", GOOD))] == [False, True, False]


def test_a_broken_byte_is_named_and_costs_its_own_record_alone() -> None:
    first, last = GOOD.encode(), GOOD.encode()
    found = entries("a.jsonl", _jsonl(first, b'{"title": "\xff"}', last))
    assert [isinstance(entry, Bad) for entry in found] == [False, True, False]
    assert isinstance(found[1], Bad)
    assert f"not UTF-8 at byte {len(first) + 1 + 11}" in found[1].reason


@pytest.mark.parametrize("content", [GOOD.encode("gb18030"), GOOD.encode("utf-16"), b"\xff\xfe"])
def test_a_file_without_a_line_in_utf_8_is_refused_and_the_byte_named(content: bytes) -> None:
    with pytest.raises(InvalidRecord, match="not UTF-8 at byte"):
        entries("a.jsonl", content)


def test_an_endless_line_is_a_bad_record() -> None:
    (entry,) = bad("a.jsonl", _jsonl(GOOD, '{"title": "' + "长" * 1_000_000, GOOD))
    assert "line 2, record 2" in entry.place
    assert "1,048,576" in entry.reason


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_has_no_records(text: str) -> None:
    assert entries("a.jsonl", text) == []


def test_reading_takes_no_more_than_it_gives() -> None:
    stream = io.BytesIO(_jsonl(*[GOOD] * 10_000))
    next(read(Source("a.jsonl", stream)))
    assert stream.tell() == len(GOOD.encode()) + 1
