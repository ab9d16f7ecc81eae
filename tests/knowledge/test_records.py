"""Records: a good one becomes an article, a bad one a place and a reason that names the field."""

from typing import Any

import pytest

from nlp_service.knowledge.records import CONTENT_FIELDS, Bad, Good, check, content_id
from nlp_service.text.personal_data import identifies_a_person

RECORD: dict[str, Any] = {"title": "登录失败", "problem": "提示超时", "solution": "重试"}
TEXTS: dict[str, Any] = {"title": "a", "problem": "b", "scenario": "c", "solution": "d", "product": None}


def test_a_good_record_keeps_its_place() -> None:
    entry = check("line 3", RECORD)
    assert isinstance(entry, Good)
    assert (entry.place, entry.article.title) == ("line 3", "登录失败")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": " "}, "title: 不能为空 · must not be blank"),
        ({"title": 7}, "title: 必须是字符串 · must be a string"),
        ({"tags": ["好", ""]}, "tags.1: 不能为空 · must not be blank"),
        ({"status": "open"}, "status: 只能是 "),
        ({"colour": "red"}, "colour: 未知字段 · unknown field"),
        ({"problem": "登录\x00失败"}, "problem: "),
        ({"solution": "登录\ud800失败"}, "solution: "),
        ({"external_id": "CRM-13812345678"}, "external_id: "),
    ],
    ids=["blank", "number", "tag", "status", "unknown", "NUL", "lone surrogate", "personal data"],
)
def test_a_bad_record_names_its_field(changes: dict[str, object], reason: str) -> None:
    entry = check("line 3", {**RECORD, **changes})
    assert isinstance(entry, Bad)
    assert (entry.place, entry.reason[: len(reason)]) == ("line 3", reason)


@pytest.mark.parametrize(
    ("field", "limit"), [("title", 200), ("problem", 2000), ("scenario", 2000), ("solution", 10_000), ("product", 200)]
)
def test_a_text_over_its_limit_names_field_and_limit(field: str, limit: int) -> None:
    entry = check("line 3", {**RECORD, field: "长" * (limit + 1)})
    assert isinstance(entry, Bad)
    assert entry.reason.startswith(f"{field}: ")
    assert f"at most {limit:,} characters" in entry.reason


def test_an_unknown_field_with_a_lone_surrogate_can_be_printed() -> None:
    entry = check("line 3", {**RECORD, "\ud800": 1})
    assert isinstance(entry, Bad)
    assert entry.reason.encode("utf-8")


@pytest.mark.parametrize("record", [[], None, 3, "登录失败"])
def test_what_is_no_object_is_a_bad_record(record: object) -> None:
    assert check("line 3", record) == Bad("line 3", "record: 必须是 JSON 对象 · must be a JSON object")


def test_the_same_content_has_the_same_key() -> None:
    assert content_id(**TEXTS) == content_id(**TEXTS)


@pytest.mark.parametrize("field", CONTENT_FIELDS)
def test_another_text_or_product_makes_another_key(field: str) -> None:
    assert content_id(**{**TEXTS, field: "x"}) != content_id(**TEXTS)


def test_a_text_that_moves_to_another_field_makes_another_key() -> None:
    assert content_id("ab", "c", "", "d", None) != content_id("a", "bc", "", "d", None)


def test_a_key_can_be_stored_as_external_id() -> None:
    key = content_id(**TEXTS)
    assert isinstance(check("", {**RECORD, "external_id": key}), Good)
    assert not identifies_a_person(key)
