"""Sections: what stands under a heading, told apart by problem, scenario and solution."""

import pytest

from nlp_service.knowledge.formats.blocks import Block, Heading, Paragraph
from nlp_service.knowledge.formats.sections import Section, field_of, sections


def _blocks(text: str) -> list[Block]:
    """Headings and paragraphs of lines, headings marked as in Markdown."""
    marked = [(len(line) - len(line.lstrip("#")), line.lstrip("# ")) for line in text.split("|")]
    return [Heading(level, words) if level else Paragraph(words) for level, words in marked]


def _of(text: str) -> list[Section]:
    return list(sections(_blocks(text)))


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("问题", "problem"),
        ("问题描述:", "problem"),
        ("1. 故障现象", "problem"),
        ("一、现象", "problem"),
        ("Problem", "problem"),
        ("2.1 Symptoms", "problem"),
        ("适用场景", "scenario"),
        ("(二)运行环境", "scenario"),
        ("Environment:", "scenario"),
        ("Scenario", "scenario"),
        ("解决办法", "solution"),
        ("处理步骤", "solution"),
        ("3、原因分析", "solution"),
        ("可能原因", "solution"),
        ("SOLUTION", "solution"),
        ("Root cause", "solution"),
    ],
)
def test_a_heading_that_names_a_field_is_known(heading: str, field: str) -> None:
    assert field_of(heading) == field


@pytest.mark.parametrize(
    "heading", ["常见问题", "登录问题", "问题反馈渠道", "环境变量", "Solutions for teams", "1.", "", "解决了的登录失败"]
)
def test_a_heading_that_only_holds_such_a_word_is_none(heading: str) -> None:
    assert field_of(heading) is None


def test_a_section_is_known_by_the_headings_above_it() -> None:
    assert [section.path for section in _of("# 手册|## 登录|a|## 导出|b|# 附录|c")] == [
        ("手册", "登录"),
        ("手册", "导出"),
        ("附录",),
    ]


def test_text_before_the_first_heading_has_no_path() -> None:
    assert [section.path for section in _of("a|# 登录|b")] == [(), ("登录",)]


def test_a_heading_without_text_is_no_section() -> None:
    assert _of("# 手册|## 登录|# 附录") == []


def test_deeper_headings_are_lines_of_the_text() -> None:
    assert _of("# 登录|a|### 细节|b") == [Section(("登录",), before=["a", "细节", "b"])]


def test_fields_are_filled_by_their_headings() -> None:
    (section,) = _of("# 登录|## 问题|a|## 场景|b|## 解决|c")
    assert section == Section(("登录",), problem=["a"], scenario=["b"], solution=["c"])


def test_a_cause_keeps_its_heading_before_its_text() -> None:
    (section,) = _of("# 登录|## 原因|a|## 解决|b")
    assert section.solution == ["原因", "a", "解决", "b"]


def test_a_single_solution_needs_no_heading() -> None:
    assert _of("# 登录|## 解决|a")[0].solution == ["a"]


def test_a_heading_without_text_below_it_leaves_nothing() -> None:
    assert _of("# 登录|a|## 原因")[0].solution == []


def test_a_heading_without_text_lends_its_name_to_no_other_field() -> None:
    assert _of("# 登录|## 原因|## 场景|a")[0].scenario == ["a"]


def test_a_heading_as_high_as_the_fields_ends_the_field() -> None:
    (section,) = _of("# 登录|### 解决|a|### 备注|b")
    assert (section.solution, section.after) == (["a"], ["备注", "b"])


def test_a_deeper_heading_stays_in_its_field() -> None:
    assert _of("# 登录|## 解决|a|### 第一步|b")[0].solution == ["a", "第一步", "b"]


def test_a_second_problem_after_a_solution_begins_another_section() -> None:
    found = _of("# 问答|## 问题|a|## 解决|b|## 问题|c|## 解决|d")
    assert [(section.path, section.problem, section.solution) for section in found] == [
        (("问答",), ["a"], ["b"]),
        (("问答",), ["c"], ["d"]),
    ]


def test_a_deep_heading_over_fields_is_a_section_of_its_own() -> None:
    found = _of("# 手册|## 登录|### 密码错误|#### 问题|a|#### 解决|b|### 锁定|#### 问题|c|#### 解决|d")
    assert [section.path for section in found] == [("手册", "登录", "密码错误"), ("手册", "登录", "锁定")]


def test_a_section_is_on_the_page_of_its_heading() -> None:
    (section,) = sections([Heading(1, "登录", 2), Paragraph("a", 3)])
    assert section.page == 2


def test_a_section_without_heading_is_on_the_page_of_its_text() -> None:
    (section,) = sections([Paragraph("a", 3), Paragraph("b", 4)])
    assert section.page == 3
