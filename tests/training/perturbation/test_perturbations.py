import random
import re
import unicodedata
from collections import Counter

import pytest

from training.perturbation.homophones import HOMOPHONES
from training.perturbation.perturbations import CLOSINGS, EMOJI, GREETINGS, NEGATIONS, PERTURBATIONS

CHINESE = "付款以后订单还是待支付，银行卡扣了1286元，登录也要重新来。能不能加一个提醒？"
ENGLISH = "Login fails with error 502. Please add a dark mode, it's hard to read at night!"
TEXTS = [CHINESE, ENGLISH, "升级到v2.3后App打不开", "好"]
SEEDS = range(8)
HAN = re.compile(r"[\u4e00-\u9fff]")


def perturbed(name: str, text: str, seed: int = 0) -> str:
    return PERTURBATIONS[name](text, random.Random(seed))


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize("text", TEXTS)
def test_the_same_seed_gives_the_same_text(name: str, text: str) -> None:
    assert perturbed(name, text, 3) == perturbed(name, text, 3)


@pytest.mark.parametrize("name", ["typos", "homophones", "emoji", "courtesy", "white_space"])
def test_other_seeds_give_other_texts(name: str) -> None:
    assert len({perturbed(name, CHINESE, seed) for seed in SEEDS}) > 1


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize("text", ["", " ", "？", "😀"])
def test_texts_without_letters_are_no_error(name: str, text: str) -> None:
    assert isinstance(perturbed(name, text), str)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("text", [CHINESE, ENGLISH])
def test_typos_leave_digits_punctuation_and_white_space(text: str, seed: int) -> None:
    kept = re.compile(r"[\W\d_]")
    assert kept.findall(perturbed("typos", text, seed)) == kept.findall(text)


@pytest.mark.parametrize("seed", SEEDS)
def test_typos_change_few_letters(seed: int) -> None:
    before, after = Counter(ENGLISH), Counter(perturbed("typos", ENGLISH, seed))
    assert sum(((before - after) + (after - before)).values()) <= len(letters(ENGLISH)) // 20


@pytest.mark.parametrize("seed", SEEDS)
def test_typos_leave_negations(seed: int) -> None:
    text = "不能没有未读提醒，别非要升级"
    after = perturbed("typos", text, seed)
    assert [mark for mark in after if mark in NEGATIONS] == [mark for mark in text if mark in NEGATIONS]


@pytest.mark.parametrize("seed", SEEDS)
def test_typos_keep_a_letter_of_a_short_text(seed: int) -> None:
    assert letters(perturbed("typos", "卡顿", seed))


def test_the_table_of_homophones_is_large_enough_to_find_some_in_most_texts() -> None:
    assert len(HOMOPHONES) >= 60


def test_a_homophone_is_never_what_it_stands_for() -> None:
    assert [word for word, wrong in HOMOPHONES.items() if word == wrong or len(word) != len(wrong)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_at_least_one_homophone_is_written_where_there_is_one(seed: int) -> None:
    assert perturbed("homophones", CHINESE, seed) != CHINESE


@pytest.mark.parametrize("seed", SEEDS)
def test_homophones_keep_the_length_and_all_else(seed: int) -> None:
    after = perturbed("homophones", CHINESE, seed)
    known = {character for pair in HOMOPHONES.items() for word in pair for character in word}
    changed = [(old, new) for old, new in zip(CHINESE, after, strict=True) if old != new]
    assert all({old, new} <= known for old, new in changed)


def test_words_are_confused_as_words() -> None:
    assert perturbed("homophones", "登录") == "登陆"


@pytest.mark.parametrize("text", TEXTS)
def test_nfkc_folds_full_width_forms_back(text: str) -> None:
    assert unicodedata.normalize("NFKC", perturbed("full_width", text)) == unicodedata.normalize("NFKC", text)


def test_full_width_leaves_no_ascii() -> None:
    assert [character for character in perturbed("full_width", ENGLISH) if character.isascii()] == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("text", TEXTS)
def test_emoji_are_added_and_nothing_is_taken(text: str, seed: int) -> None:
    after = perturbed("emoji", text, seed)
    added = [character for character in after if character in EMOJI]
    assert "".join(character for character in after if character not in EMOJI) == text
    assert 1 <= len(added) <= 3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("text", "tongue"), [(CHINESE, "zh"), (ENGLISH, "en"), (TEXTS[2], "zh")])
def test_greeting_and_closing_are_of_the_texts_language(text: str, tongue: str, seed: int) -> None:
    greeting, closing = perturbed("courtesy", text, seed).split(text)
    assert greeting in GREETINGS[tongue]
    assert closing in CLOSINGS[tongue]


def test_english_formulas_hold_no_han_characters() -> None:
    assert not HAN.search("".join(GREETINGS["en"] + CLOSINGS["en"]))


@pytest.mark.parametrize("name", ["upper_case", "lower_case"])
def test_case_changes_latin_letters_alone(name: str) -> None:
    after = perturbed(name, "升级到v2.3后App打不开")
    assert after == {"upper_case": "升级到V2.3后APP打不开", "lower_case": "升级到v2.3后app打不开"}[name]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("text", TEXTS)
def test_white_space_is_added_and_nothing_else(text: str, seed: int) -> None:
    after = perturbed("white_space", text, seed)
    assert after != text
    assert "".join(after.split()) == "".join(text.split())


@pytest.mark.parametrize("seed", SEEDS)
def test_white_space_does_not_cut_words_and_numbers(seed: int) -> None:
    assert perturbed("white_space", ENGLISH, seed).split() == ENGLISH.split()
