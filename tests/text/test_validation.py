"""Validation: what can be analysed passes unchanged, everything else names the field and the broken rule."""

import pytest

from nlp_service.errors import InvalidText
from nlp_service.text.validation import MAX_CHARACTERS, check_characters, check_text


@pytest.mark.parametrize("text", ["登录失败", "ok", "7", "  前后有空格 ", "好👍", "Привет", "第一行\n第二行\t完"])
def test_a_text_with_a_letter_or_digit_is_returned_unchanged(text: str) -> None:
    assert check_text(text) == text


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000", "\u00a0"])
def test_a_blank_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidText, match="blank"):
        check_text(text)


@pytest.mark.parametrize("text", ["👍👍", "？！。", "……", "❤️‍🔥", "🇨🇳", "---"])
def test_a_text_of_emoji_or_symbols_only_is_refused(text: str) -> None:
    with pytest.raises(InvalidText, match="only emoji or symbols"):
        check_text(text)


def test_the_longest_text_passes() -> None:
    assert len(check_text("长" * MAX_CHARACTERS)) == MAX_CHARACTERS


def test_a_text_one_character_too_long_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidText, match=r"at most 2,000 characters, got 2,001"):
        check_text("长" * (MAX_CHARACTERS + 1))


def test_a_field_may_have_a_limit_of_its_own() -> None:
    with pytest.raises(InvalidText, match="at most 5 "):
        check_text("登录失败了吗", limit=5)


def test_length_counts_characters_not_bytes_or_surrogate_pairs() -> None:
    assert check_text("好😀😀😀", limit=4) == "好😀😀😀"


@pytest.mark.parametrize(("text", "rule"), [("登录\x00失败", "NUL"), ("登录\ud83d失败", "surrogate")])
def test_a_character_that_cannot_be_stored_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidText, match=rule):
        check_characters(text)


def test_a_text_with_a_character_that_cannot_be_stored_cannot_be_analysed() -> None:
    with pytest.raises(InvalidText, match="NUL"):
        check_text("登录\x00失败")


def test_the_error_names_the_field() -> None:
    with pytest.raises(InvalidText) as caught:
        check_text("", field="texts.3")
    assert caught.value.field == "texts.3"
