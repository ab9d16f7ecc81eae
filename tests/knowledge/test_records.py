"""Records: good ones are kept with their place, bad ones are reported with place and reason."""

import json

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.records import parse_csv, parse_jsonl

GOOD = json.dumps({"title": "登录失败", "problem": "提示超时", "solution": "重试"}, ensure_ascii=False)
HEADER = "title,problem,solution"
ROW = "登录失败,提示超时,重试"


def _bad(**changes: object) -> str:
    return json.dumps({**json.loads(GOOD), **changes})


def test_every_line_is_a_record() -> None:
    parsed = parse_jsonl(f"{GOOD}\n{GOOD}\n")
    assert [(index, article.title) for index, article in parsed.articles] == [(0, "登录失败"), (1, "登录失败")]


def test_blank_lines_are_not_counted() -> None:
    assert [index for index, _ in parse_jsonl(f"\n{GOOD}\n\n  \n{GOOD}").articles] == [0, 1]


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    assert len(parse_jsonl(f"\ufeff{GOOD}\r\n{GOOD}\r\n").articles) == 2


def test_a_line_separator_inside_a_text_ends_no_record() -> None:
    line = GOOD.replace("提示超时", "提示\u2028超时\x85完")
    assert parse_jsonl(line).articles[0][1].problem == "提示\u2028超时\x85完"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (_bad(title=" "), "title: "),
        (_bad(title=7), "title: "),
        (_bad(tags=["好", ""]), "tags.1: "),
        (_bad(status="open"), "status: "),
        (_bad(colour="red"), "colour: "),
        (_bad(problem="登录\x00失败"), "problem: "),
        (_bad(solution="登录\ud800失败"), "solution: "),
        ('{"title": "登录失败", "problem": "提示超时"}', "solution: "),
    ],
    ids=["blank", "number", "tag", "status", "unknown", "NUL", "lone surrogate", "missing"],
)
def test_a_bad_record_is_reported_with_its_index_and_field(line: str, reason: str) -> None:
    parsed = parse_jsonl(f"{GOOD}\n{line}\n{GOOD}")
    assert [(index, text[: len(reason)]) for index, text in parsed.rejected] == [(1, reason)]


@pytest.mark.parametrize(
    "line",
    ["{", '{"title": ', "登录失败", "{'title': 1}", "[" * 100_000, "9" * 5000, '{"title": "a\x00"}', '"\\ud8'],
    ids=["brace", "cut", "text", "single quotes", "deep", "huge number", "raw NUL", "cut escape"],
)
def test_a_line_that_is_no_json_is_reported_with_its_index(line: str) -> None:
    (rejected,) = parse_jsonl(f"{GOOD}\n{line}\n{GOOD}").rejected
    assert (rejected[0], "not valid JSON" in rejected[1]) == (1, True)


@pytest.mark.parametrize("line", ["[]", "null", "3", '"登录失败"', "NaN"])
def test_json_that_is_no_object_is_reported_with_its_index(line: str) -> None:
    assert [index for index, _ in parse_jsonl(f"{GOOD}\n{line}").rejected] == [1]


def test_a_deeply_nested_field_is_reported_by_name() -> None:
    ((_, reason),) = parse_jsonl(GOOD[:-1] + ', "tags": [' + "[" * 300 + "]" * 300 + "]}").rejected
    assert reason.startswith("tags.0: ")


def test_an_unknown_field_with_a_lone_surrogate_can_be_printed() -> None:
    ((_, reason),) = parse_jsonl(GOOD[:-1] + ', "\\ud800": 1}').rejected
    assert reason.encode("utf-8")


def test_good_records_around_a_bad_one_are_kept_with_their_index() -> None:
    assert [index for index, _ in parse_jsonl(f"{GOOD}\n{{\n{GOOD}").articles] == [0, 2]


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_text_has_no_records(text: str) -> None:
    parsed = parse_jsonl(text)
    assert (parsed.articles, parsed.rejected) == ([], [])


def test_a_csv_row_is_a_record() -> None:
    ((index, article),) = parse_csv(f"{HEADER},product\n{ROW},网课平台\n").articles
    assert (index, article.title, article.solution, article.product) == (0, "登录失败", "重试", "网课平台")


def test_columns_may_come_in_any_order() -> None:
    assert parse_csv("solution,title,problem\n重试,登录失败,提示超时").articles[0][1].title == "登录失败"


def test_a_csv_with_byte_order_mark_and_windows_line_ends_is_accepted() -> None:
    assert len(parse_csv(f"\ufeff{HEADER}\r\n{ROW}\r\n{ROW}\r\n").articles) == 2


def test_a_quoted_cell_may_hold_commas_quotes_and_line_ends() -> None:
    ((_, article),) = parse_csv(f'{HEADER}\n登录失败,"提示 ""超时"", 然后\n退出",重试\n').articles
    assert article.problem == '提示 "超时", 然后\n退出'


@pytest.mark.parametrize("separator", [";", "；", ",", "，", "、", "|"])
def test_tags_are_separated_by_any_usual_mark(separator: str) -> None:
    ((_, article),) = parse_csv(f'{HEADER},tags\n{ROW},"登录{separator} 密码{separator}"\n').articles
    assert article.tags == ["登录", "密码"]


def test_an_empty_cell_counts_as_not_given() -> None:
    ((_, article),) = parse_csv(f"{HEADER},status,tags,product\n{ROW},,,\n").articles
    assert article.model_dump(exclude_unset=True).keys() == {"title", "problem", "solution"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("登录失败,,重试", "problem: "),
        ("登录失败,提示超时", "solution: "),
        ("登录\x00失败,提示超时,重试", "title: "),
        ("登录\ud800失败,提示超时,重试", "title: "),
        (f"{'长' * 201},提示超时,重试", "title: "),
        (f"{ROW},多出来的", "有 4 列,表头只有 3 列 · has 4 cells, the header 3"),
    ],
    ids=["empty", "short row", "NUL", "lone surrogate", "too long", "long row"],
)
def test_a_bad_row_is_reported_with_its_index_and_column(row: str, reason: str) -> None:
    parsed = parse_csv(f"{HEADER}\n{ROW}\n{row}\n{ROW}\n")
    assert [(index, text[: len(reason)]) for index, text in parsed.rejected] == [(1, reason)]


def test_good_rows_around_a_bad_one_are_kept_with_their_index() -> None:
    assert [index for index, _ in parse_csv(f"{HEADER}\n{ROW}\n,,\n{ROW}\n").articles] == [0, 2]


@pytest.mark.parametrize(
    "row",
    ['"登录"失败,提示超时,重试', '登录失败,提示超时,"重试', f"登录失败,{'长' * 200_000},重试"],
    ids=["text after quote", "open quote", "huge cell"],
)
def test_a_row_that_is_no_csv_says_so(row: str) -> None:
    ((index, reason),) = parse_csv(f"{HEADER}\n{ROW}\n{row}").rejected
    assert (index, "CSV" in reason) == (1, True)


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("title,problem,solution,colour", "unknown column number 4"),
        ("title,problem", "solution"),
        ("标题,problem,solution", "unknown column number 1; missing title"),
        ("title,problem,solution,", "unknown"),
        ("", "missing"),
    ],
)
def test_a_wrong_header_is_refused_and_the_column_named(header: str, named: str) -> None:
    with pytest.raises(InvalidRecord, match=named):
        parse_csv(f"{header}\n{ROW}\n")


def test_a_column_that_occurs_twice_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="title"):
        parse_csv("title,title,problem,solution\n登录失败,另一个,提示超时,重试\n")


def test_a_header_that_is_no_csv_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="CSV"):
        parse_csv('"title,problem')
