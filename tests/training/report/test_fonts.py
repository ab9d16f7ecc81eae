from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import FontEntry, fontManager

from training.report.fonts import default_font, font_with, names_for

NOWHERE = "\U0010fffd"
"""A private character for which no font has a glyph but the one that shows every character as a box."""
DEFAULT = default_font().get_file()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine whose only font, but for matplotlib's own, has the characters 故 and 障."""
    file = tmp_path / "two.ttf"
    pen = TTGlyphPen(None)
    for point, draw in (((0, 0), pen.moveTo), ((0, 800), pen.lineTo), ((800, 800), pen.lineTo)):
        draw(point)
    pen.closePath()
    shape = pen.glyph()
    builder = FontBuilder(1000)
    names = [".notdef", "gu", "zhang"]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord("故"): "gu", ord("障"): "zhang"})
    builder.setupGlyf(dict.fromkeys(names, shape))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Two", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(file)
    monkeypatch.setattr(fontManager, "ttflist", [FontEntry(fname=str(file), name="Two")])
    font_with.cache_clear()
    yield file
    font_with.cache_clear()


def test_names_that_the_default_font_has_are_shown() -> None:
    names = names_for(["fault", "feature_request"], "label")
    assert (names.shown, names.legend, names.font.get_file()) == (("fault", "feature_request"), {}, DEFAULT)


def test_names_of_which_one_cannot_be_shown_are_numbered() -> None:
    names = names_for(["fault", NOWHERE], "label")
    assert (names.shown, names.font.get_file()) == (("label 1", "label 2"), DEFAULT)


def test_the_legend_says_what_the_numbers_mean() -> None:
    assert names_for(["fault", NOWHERE], "slice").legend == {"slice 1": "fault", "slice 2": NOWHERE}


def test_an_installed_font_that_has_the_characters_is_used(installed: Path) -> None:
    names = names_for(["故障"], "label")
    assert (names.shown, names.font.get_file()) == (("故障",), str(installed))


@pytest.mark.usefixtures("installed")
def test_a_font_that_lacks_one_of_the_characters_is_not_used() -> None:
    assert names_for(["故障", "需求"], "label").shown == ("label 1", "label 2")


def test_long_names_are_cut() -> None:
    shown = names_for(["x" * 200], "label", longest=10).shown
    assert shown == ("x" * 9 + "…",)


def test_line_breaks_and_invisible_characters_are_not_shown() -> None:
    assert names_for(["two\nlines\u200b\u202e"], "label").shown == ("two lines",)
