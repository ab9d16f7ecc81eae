import pytest

from training.audit.entry import Share
from training.audit.tables import NONE, escape, listed, table


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("是|否", r"是\|否"),
        (r"a\|b", r"a\\\|b"),
        ("第一行\r\n第二行", "第一行 第二行"),
        ("<img src=x>", r"\<img src=x\>"),
        ("![图](http://example.com)", r"!\[图\](http://example.com)"),
        ("*重要* `x` _y_", r"\*重要\* \`x\` \_y\_"),
        ("闪\x00退", "闪\ufffd退"),
        ("闪\u202e退", "闪\ufffd退"),
        ("闪\ud83d退", "闪\ufffd退"),
    ],
)
def test_text_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_a_table_has_a_heading_a_rule_and_rows() -> None:
    assert table(["名", "数"], [("甲", 1)]).split("\n") == ["| 名 | 数 |", "| --- | ---: |", "| 甲 | 1 |"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(12345, "12,345"), (0.25, "0.25"), (3.0, "3"), (Share(1, 4), "1 / 4 (25.0%)"), ("a|b", r"a\|b")],
)
def test_a_cell_is_shown(cell: str | int | float | Share, shown: str) -> None:
    assert table(["x"], [(cell,)]).split("\n")[-1] == f"| {shown} |"


def test_a_long_table_is_capped_and_the_rest_is_counted() -> None:
    lines = table(["x"], [(number,) for number in range(33)], cap=30).split("\n")
    assert (lines[-3], lines[-1]) == ("| 29 |", "… 另有 3 条 · and 3 more")


def test_a_table_without_a_cap_is_whole() -> None:
    assert len(table(["x"], [(number,) for number in range(50)], cap=None).split("\n")) == 52


def test_a_table_without_rows_says_so() -> None:
    assert table(["x"], []) == NONE


def test_names_are_listed_once_and_the_sixth_is_counted() -> None:
    assert listed("aabcdefg") == "a, b, c, d, e, … +2"
