"""CSV: rows are records; a row or header that cannot be read says where and why."""

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.records import Bad
from tests.knowledge.formats.samples import bad, entries, good

HEADER = "title,problem,solution"
ROW = "登录失败,提示超时,重试"


def test_a_row_is_a_record() -> None:
    (entry,) = good("a.csv", f"{HEADER},product\n{ROW},网课平台\n")
    assert (entry.article.title, entry.article.solution, entry.article.product) == ("登录失败", "重试", "网课平台")


def test_a_place_is_the_line_of_the_file() -> None:
    assert ["line 3" in entry.place for entry in good("a.csv", f"{HEADER}\n\n{ROW}\n")] == [True]


def test_the_place_of_a_row_over_several_lines_is_all_of_them() -> None:
    (entry,) = good("a.csv", f'{HEADER}\n登录失败,"提示\n超时",重试\n')
    assert "line 2–3" in entry.place


def test_columns_may_come_in_any_order() -> None:
    (entry,) = good("a.csv", "solution,title,problem\n重试,登录失败,提示超时")
    assert entry.article.title == "登录失败"


def test_columns_may_have_chinese_names() -> None:
    (entry,) = good("a.csv", f"标题,问题,解决方案,产品,编号\n{ROW},网课平台,KB-1\n")
    assert (entry.article.title, entry.article.product, entry.article.external_id) == ("登录失败", "网课平台", "KB-1")


def test_one_column_under_both_names_is_doubled() -> None:
    with pytest.raises(InvalidRecord, match="doubled title"):
        entries("a.csv", f"标题,{HEADER}\n登录,{ROW}\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_any_usual_line_end_is_accepted(end: str) -> None:
    assert len(good("a.csv", end.join([f"\ufeff{HEADER}", ROW, ROW, ""]))) == 2


def test_a_quoted_cell_may_hold_commas_quotes_and_line_ends() -> None:
    (entry,) = good("a.csv", f'{HEADER}\n登录失败,"提示 ""超时"", 然后\r\n退出",重试\n')
    assert entry.article.problem == '提示 "超时", 然后\r\n退出'


@pytest.mark.parametrize("separator", [";", "\t"], ids=["semicolon", "tab"])
def test_cells_may_be_separated_as_spreadsheet_programs_of_some_countries_do(separator: str) -> None:
    header = separator.join(["\ufefftitle", "problem", "solution", "tags"])
    row = separator.join(["登录失败", '"提示 500; 退出"', "先等,再重试", '"登录,密码"'])
    (entry,) = good("a.csv", f"{header}\r\n{row}\r\n")
    assert (entry.article.problem, entry.article.solution) == ("提示 500; 退出", "先等,再重试")
    assert entry.article.tags == ["登录", "密码"]


def test_empty_columns_and_rows_at_the_end_are_none() -> None:
    found = good("a.csv", f"{HEADER},,\n{ROW},,\n,,,,\n{ROW}\n,,,,\n")
    assert [entry.place.split()[-1] for entry in found] == ["2", "4"]


def test_the_names_of_columns_count_in_any_case_and_with_spaces() -> None:
    (entry,) = good("a.csv", f"Title, Problem ,SOLUTION\n{ROW}\n")
    assert entry.article.problem == "提示超时"


@pytest.mark.parametrize("separator", [";", "；", ",", "，", "、", "|"])
def test_tags_are_separated_by_any_usual_mark(separator: str) -> None:
    (entry,) = good("a.csv", f'{HEADER},tags\n{ROW},"登录{separator} 密码{separator}"\n')
    assert entry.article.tags == ["登录", "密码"]


def test_an_empty_cell_counts_as_not_given() -> None:
    (entry,) = good("a.csv", f"{HEADER},status,tags,product\n{ROW},,,\n")
    assert entry.article.model_dump(exclude_unset=True).keys() == {"title", "problem", "solution"}


def test_of_thousands_of_rows_the_bad_ones_are_listed_with_line_and_reason() -> None:
    broken = {",提示超时,重试": "title", f"登录失败,{'长' * 2001},重试": "problem", f"{ROW},多一格": "有 4 列"}
    rows = [f"{number}{ROW}" for number in range(4000)]
    rows[50::100] = [list(broken)[number % len(broken)] for number in range(40)]
    listed = [entry for entry in entries("a.csv", "\n".join([HEADER, *rows])) if isinstance(entry, Bad)]
    assert [entry.place.rpartition(" ")[2] for entry in listed] == [str(line) for line in range(52, 4000, 100)]
    assert [entry.reason.startswith(broken[rows[50 + 100 * number]]) for number, entry in enumerate(listed)] == [
        True
    ] * 40


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("登录失败,,重试", "problem: "),
        ("登录失败,提示超时", "solution: "),
        ("登录\x00失败,提示超时,重试", "title: "),
        (f"{'长' * 201},提示超时,重试", "title: "),
        (",提示超时,重试", "title: "),
        (f"{ROW},多出来的", "有 4 列,表头只有 3 列 · has 4 cells, the header 3"),
    ],
    ids=["empty", "short row", "NUL", "too long", "no title", "long row"],
)
def test_a_bad_row_is_reported_with_its_line_and_column(row: str, reason: str) -> None:
    (entry,) = bad("a.csv", f"{HEADER}\n{ROW}\n{row}\n{ROW}\n")
    assert entry.place.endswith("line 3")
    assert entry.reason.startswith(reason)


def test_good_rows_around_a_bad_one_are_kept() -> None:
    found = entries("a.csv", f"{HEADER}\n{ROW}\n登录失败\n{ROW}\n")
    assert [isinstance(entry, Bad) for entry in found] == [False, True, False]


@pytest.mark.parametrize(
    "row",
    ['"登录"失败,提示超时,重试', '登录失败,提示超时,"重试', f"登录失败,{'长' * 200_000},重试"],
    ids=["text after quote", "open quote", "huge cell"],
)
def test_a_row_that_is_no_csv_says_so(row: str) -> None:
    (entry,) = bad("a.csv", f"{HEADER}\n{ROW}\n{row}")
    assert entry.place.endswith("line 3")
    assert "not valid CSV" in entry.reason


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("title,problem,solution,colour", "unknown column number 4"),
        ("title,problem", "solution"),
        ("主题,problem,solution", "unknown column number 1; missing title"),
        ("title,,problem,solution", "unknown column number 2"),
        ("", "missing"),
        ("title,title,problem,solution", "doubled title"),
        ('"title,problem', "CSV"),
    ],
)
def test_a_wrong_header_is_refused_and_the_column_named(header: str, named: str) -> None:
    with pytest.raises(InvalidRecord, match=named):
        entries("a.csv", f"{header}\n{ROW}\n" if header != '"title,problem' else header)


def test_a_file_in_gb18030_is_recognised() -> None:
    (entry,) = good("a.csv", f"{HEADER}\r\n{ROW}🙂㐀\r\n".encode("gb18030"))
    assert (entry.article.title, entry.article.solution) == ("登录失败", "重试🙂㐀")


def test_a_broken_byte_in_utf_8_is_named_and_costs_its_own_row_alone() -> None:
    before = f"{HEADER}\n{ROW}\n".encode()
    found = entries("a.csv", before + b"a,\xff,b\n" + ROW.encode())
    assert [isinstance(entry, Bad) for entry in found] == [False, True, False]
    assert isinstance(found[1], Bad)
    assert f"not UTF-8 at byte {len(before) + 2}" in found[1].reason


def test_a_broken_byte_in_gb18030_is_named_and_costs_its_own_row_alone() -> None:
    before = f"{HEADER}\n{ROW}\n".encode("gb18030")
    found = entries("a.csv", before + b"a,\xff,b\n" + ROW.encode("gb18030"))
    assert [isinstance(entry, Bad) for entry in found] == [False, True, False]
    assert isinstance(found[1], Bad)
    assert f"not GB18030 at byte {len(before) + 2}" in found[1].reason


def test_a_broken_byte_in_the_header_is_named() -> None:
    with pytest.raises(InvalidRecord, match="not UTF-8 at byte 5"):
        entries("a.csv", b"title\xff,problem,solution\n" + ROW.encode())


def test_an_endless_line_is_a_bad_row() -> None:
    long = ",".join(["长" * 30_000] * 20)
    found = entries("a.csv", f"{HEADER}\n{long}\n{ROW}\n")
    assert [isinstance(entry, Bad) for entry in found] == [True, False]
    assert isinstance(found[0], Bad)
    assert "1,048,576" in found[0].reason


@pytest.mark.parametrize(
    ("cell", "read"),
    [("'=1+1", "=1+1"), ("'+86", "+86"), ("'-步骤", "-步骤"), ("'@here", "@here"), ("''=a", "'=a"), ("'a", "'a")],
)
def test_the_apostrophe_before_what_a_spreadsheet_would_run_is_taken_away(cell: str, read: str) -> None:
    (entry,) = good("a.csv", f"{HEADER}\n{cell},提示超时,重试\n")
    assert entry.article.title == read
