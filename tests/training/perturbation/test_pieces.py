"""Pieces of texts: sentences of theirs, alone or put together anew."""

import random

import pytest

from training.perturbation.pieces import pieces, sentences

TEXTS = ["登录不上去。试了三次都不行!", "希望能批量导出,谢谢。", "The app is slow. It crashes often."]


def test_pieces_hold_nothing_but_sentences_of_the_texts() -> None:
    known = {sentence for text in TEXTS[:2] for sentence in sentences(text)}
    for piece in pieces(TEXTS[:2], 20, random.Random(1)):
        assert set(sentences(piece)) <= known


def test_some_pieces_are_of_two_texts() -> None:
    found = list(pieces(TEXTS, 20, random.Random(1)))
    assert any("登录" in piece and "导出" in piece for piece in found)


@pytest.mark.parametrize(("times", "least", "most"), [(2.0, 600, 600), (0.5, 100, 200)])
def test_each_text_gives_so_many_on_average(times: float, least: int, most: int) -> None:
    assert least <= len(list(pieces(TEXTS * 100, times, random.Random(1)))) <= most


def test_words_of_two_english_texts_stay_apart() -> None:
    assert all("  " not in piece and ".I" not in piece for piece in pieces(TEXTS[2:], 20, random.Random(1)))


@pytest.mark.parametrize("text", ["", " ", "。", "👍"])
def test_a_text_without_sentences_gives_none(text: str) -> None:
    assert list(pieces([text], 5, random.Random(1))) == []
