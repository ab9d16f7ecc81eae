"""Highlights: the sentence that matched, and where."""

from collections.abc import Collection

import pytest

from nlp_service.knowledge.highlight import MAX_CHARACTERS, Highlight, Readable, highlights
from nlp_service.text.segmentation import terms


def _found(fields: dict[str, str], terms: Collection[str], limit: int = 3) -> list[Highlight]:
    return highlights({name: Readable.of(text) for name, text in fields.items()}, terms, limit)


def _marked(highlight: Highlight) -> list[str]:
    return [highlight.text[start:end] for start, end in highlight.spans]


def test_spans_point_at_the_terms_in_the_sentence() -> None:
    (found,) = _found({"problem": "打开应用后登录失败。"}, ["登录", "失败"])
    assert _marked(found) == ["登录失败"]


def test_terms_apart_are_marked_apart_in_order() -> None:
    (found,) = _found({"problem": "失败的登录和登录的失败"}, ["登录", "失败"])
    assert _marked(found) == ["失败", "登录", "登录", "失败"]


def test_overlapping_terms_are_one_span() -> None:
    (found,) = _found({"problem": "检查打印机驱动"}, ["打印", "打印机", "机驱"])
    assert _marked(found) == ["打印机驱"]


def test_the_sentence_with_most_terms_is_chosen() -> None:
    (found,) = _found({"solution": "先登录。登录失败时重置密码。再登录。"}, ["登录", "失败", "密码"])
    assert found.text == "登录失败时重置密码。"


@pytest.mark.parametrize("end", ["。", "！", "？", "；", "!", "?", ";", "\n"])
def test_a_sentence_ends_at_chinese_and_latin_marks(end: str) -> None:
    (found,) = _found({"problem": f"昨天还正常{end}今天登录失败{end}明天再看"}, ["登录"])
    assert found.text == f"今天登录失败{end}".strip()


def test_upper_case_is_matched_by_lower_case_terms() -> None:
    (found,) = _found({"title": "报错 ORA-01555"}, ["ora-01555"])
    assert _marked(found) == ["ORA-01555"]


def test_full_width_letters_are_matched_by_the_terms_that_search_made_of_them() -> None:
    (found,) = _found({"title": "报错Ｅ１００１"}, ["e1001"])
    assert _marked(found) == ["Ｅ１００１"]


@pytest.mark.parametrize("term", ["c++", "a.b", "(x)", "[1]", "$5", "\\d", "^", "*"])
def test_special_characters_of_regular_expressions_mean_themselves(term: str) -> None:
    (found,) = _found({"title": f"前面 {term} 后面 a-b c1"}, [term])
    assert _marked(found) == [term]


def test_a_character_that_grows_in_lower_case_shifts_no_span() -> None:
    (found,) = _found({"title": "İİ 登录失败"}, ["登录"])
    assert _marked(found) == ["登录"]


def test_a_long_sentence_is_cut() -> None:
    (found,) = _found({"problem": "登录失败" + "很" * 500}, ["登录"])
    assert len(found.text) == MAX_CHARACTERS


def test_a_term_late_in_a_long_sentence_is_shown() -> None:
    (found,) = _found({"problem": "很" * MAX_CHARACTERS + "登录失败"}, ["登录"])
    assert _marked(found) == ["登录"]


def test_a_field_gives_at_most_one_sentence() -> None:
    found = _found({"problem": "登录失败。登录不了。", "solution": "重新登录。"}, ["登录"])
    assert sorted(highlight.field for highlight in found) == ["problem", "solution"]


def test_the_field_with_most_terms_comes_first() -> None:
    found = _found({"title": "登录", "problem": "登录失败"}, ["登录", "失败"])
    assert [highlight.field for highlight in found] == ["problem", "title"]


def test_no_more_than_the_limit_is_returned() -> None:
    fields = dict.fromkeys(["title", "problem", "scenario", "solution"], "登录失败")
    assert len(_found(fields, ["登录"], limit=2)) == 2


@pytest.mark.parametrize("terms", [[], ["发票"]])
def test_a_text_without_the_terms_has_no_highlight(terms: list[str]) -> None:
    assert _found({"title": "登录失败", "scenario": ""}, terms) == []


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("qx7781", "QX-7781"),
        ("QX-7781", "qx7781"),
        ("qx 7781", "ＱＸ－７７８１"),
        ("ora60", "ORA-00060"),
        ("0X80070005", "0x80070005"),
        ("80070005", "0x80070005"),
    ],
)
def test_a_code_is_marked_however_it_is_spelled(query: str, written: str) -> None:
    (found,) = _found({"problem": f"昨天还好。今天报错 {written} 无法继续。"}, set(terms(query)))
    assert "".join(_marked(found)) in (written, written.removeprefix("0x"))


def test_a_code_that_the_query_does_not_name_is_not_marked() -> None:
    assert _found({"problem": "报错 QX-7782"}, set(terms("qx7781"))) == []
