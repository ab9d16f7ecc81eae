"""Headlines: the first sentence that has a word, cut where it is long."""

import pytest

from nlp_service.text.headline import MAX_CHARACTERS, headline


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("打印没反应。重启也没用", "打印没反应"),
        ("？？？\n打印没反应", "打印没反应"),
        ("It stops at 3.5 GB. Then nothing", "It stops at 3.5 GB"),
        ("？？？", "？？？"),
        ("😀😀", "😀😀"),
    ],
)
def test_the_first_sentence_with_a_word_is_the_headline(text: str, title: str) -> None:
    assert headline(text) == title


def test_a_long_sentence_is_cut_between_words() -> None:
    text = "the export of the monthly report stops with a timeout whenever more than ten rows are there"
    title = headline(text)
    assert len(title) <= MAX_CHARACTERS
    assert title.endswith("…")
    assert f"{title[:-1]} " in text
