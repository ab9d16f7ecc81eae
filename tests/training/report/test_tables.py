import pytest

from training.report.tables import escape, image, interval, table


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a|b", "a\\|b"),
        ("feature_request", "feature\\_request"),
        ("**故障**", "\\*\\*故障\\*\\*"),
        ("[x](http://y)", "\\[x\\](http://y)"),
        ("<script>", "\\<script\\>"),
        ("`code` $x$ #1 ~~y~~", "\\`code\\` \\$x\\$ \\#1 \\~\\~y\\~\\~"),
        ("a\\|b", "a\\\\\\|b"),
        ("length: short (≤ 15)", "length: short (≤ 15)"),
    ],
)
def test_names_are_shown_as_they_are_written(name: str, written: str) -> None:
    assert escape(name) == written


def test_a_name_stays_on_one_line() -> None:
    assert escape("a\n| b\r\n\u2028c\x00\u202e") == "a \\| b c"


def test_a_figure_is_written_with_its_interval() -> None:
    assert interval({"value": 0.91234, "low": 0.8, "high": 1.0}) == "0.912 [0.800, 1.000]"


def test_a_difference_is_written_with_its_sign() -> None:
    assert interval({"value": 0.1, "low": -0.2, "high": 0.3}, sign=True) == "+0.100 [-0.200, +0.300]"


def test_a_figure_that_is_undefined_is_a_dash() -> None:
    assert interval(None) == "–"


def test_columns_of_figures_stand_to_the_right() -> None:
    assert table(["name", "n"], [["a", 1]]).splitlines() == ["| name | n |", "| --- | ---: |", "| a | 1 |"]


def test_several_columns_may_be_names() -> None:
    assert table(["a", "b", "n"], [], names=2).splitlines()[1] == "| --- | --- | ---: |"


def test_an_image_has_a_description() -> None:
    assert image("a|b", "01-x.png") == "![a\\|b](01-x.png)"
