"""Texts rewritten for training."""

import random
import unicodedata

import pytest

from training.perturbation import augmentation, perturbations
from training.perturbation.augmentation import ENDINGS, OPENINGS, SIGNS, rewrite

CHINESE = "导出的表格一直打不开,试了三台电脑都不行,请尽快处理"


@pytest.mark.parametrize("text", [CHINESE, "The app crashes whenever I open a PDF from the mail", "卡", "👍", "E1001"])
def test_the_same_seed_rewrites_alike(text: str) -> None:
    assert rewrite(text, random.Random(3)) == rewrite(text, random.Random(3))


def test_a_hundred_rewritings_give_many_texts() -> None:
    assert len({rewrite(CHINESE, random.Random(seed)) for seed in range(100)}) > 60


@pytest.mark.parametrize("seed", range(20))
def test_negations_stay(seed: int) -> None:
    assert rewrite("不能登录", random.Random(seed)).count("不") >= 1


@pytest.mark.parametrize("text", ["", " ", "\n", "\u200d", "1"])
def test_a_text_without_words_is_no_problem(text: str) -> None:
    for seed in range(30):
        rewrite(text, random.Random(seed))


def test_nothing_is_added_that_the_report_measures_by() -> None:
    added = {piece for pieces in (*OPENINGS.values(), *ENDINGS.values(), SIGNS) for piece in pieces}
    measured = {
        piece
        for pieces in (*perturbations.GREETINGS.values(), *perturbations.CLOSINGS.values(), perturbations.EMOJI)
        for piece in pieces
    }
    assert not {unicodedata.normalize("NFKC", piece).strip() for piece in added} & {
        unicodedata.normalize("NFKC", piece).strip() for piece in measured
    }


def test_an_english_text_gets_english_courtesy() -> None:
    text = "The app crashes whenever I open a PDF"
    for seed in range(20):
        added = augmentation.courtesy(text, random.Random(seed)).replace(text, "")
        assert added.isascii()
