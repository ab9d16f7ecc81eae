from pathlib import Path

import pytest

from training.report.fonts import default_font, names_for

DEFAULT = default_font().get_file()
pytestmark = pytest.mark.usefixtures("own_fonts")


def test_names_that_the_default_font_has_are_shown() -> None:
    names = names_for(["fault", "feature_request"], "label")
    assert (names.shown, names.legend, names.font.get_file()) == (("fault", "feature_request"), {}, DEFAULT)


def test_names_of_which_one_cannot_be_shown_are_numbered() -> None:
    names = names_for(["fault", "需求"], "label")
    assert (names.shown, names.font.get_file()) == (("label 1", "label 2"), DEFAULT)


def test_the_legend_says_what_the_numbers_mean() -> None:
    assert names_for(["fault", "需求"], "slice").legend == {"slice 1": "fault", "slice 2": "需求"}


def test_another_font_that_has_the_characters_is_used() -> None:
    names = names_for(["class Ⓐ"], "label")
    assert (names.shown, Path(str(names.font.get_file())).name) == (("class Ⓐ",), "STIXGeneral.ttf")


def test_a_font_that_lacks_one_of_the_characters_is_not_used() -> None:
    assert names_for(["class Ⓐ", "需求"], "label").shown == ("label 1", "label 2")


def test_long_names_are_cut() -> None:
    assert names_for(["x" * 200], "label", longest=10).shown == ("x" * 9 + "…",)


def test_line_breaks_and_invisible_characters_are_not_shown() -> None:
    assert names_for(["two\nlines\u200b\u202e"], "label").shown == ("two lines",)
