"""Explanations: which parts a text has, and what leaving one out says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.inference.explanation import MAX_PARTS, Influence, Part, influences, parts, without_each

LONG = ("我们公司用这套系统三年了，部门里大家每天都在上面登记工作，昨天开始一点保存就闪退。" * 50)[:2000]
TEXTS = {
    "Chinese": "又闪退了，三次没保存",
    "traditional": "點擊提交以後一直報錯，資料全部不見了",
    "full-width": "ＡＰＰ更新到３．２版以后闪退！！",
    "emoji": "👍👨‍👩‍👧好用❤️，就是闪退😀 三次",
    "English": "The app crashes whenever I save — don't update!",
    "one word": "闪退",
    "one character": "卡",
    "white space": "\n\t 卡顿　\u200b 严重 \r\n",
    "long": LONG,
    "letters that grow in lower case": "İİ 不能登录 İ",
    "beyond the basic plane": "𠮷野家的𝔸𝔹𝔺闪退",
}
texts = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


def _words(text: str) -> list[str]:
    return [text[part.start : part.end] for part in parts(text)]


def _check(text: str) -> None:
    """Parts lie in the text, one behind the other, and hold every letter and digit."""
    found = parts(text)
    bounds = [bound for part in found for bound in (part.start, part.end)]
    assert bounds == sorted(bounds)
    assert all(0 <= part.start < part.end <= len(text) for part in found)
    covered = {index for part in found for index in range(part.start, part.end)}
    assert {index for index, character in enumerate(text) if character.isalnum()} <= covered
    assert len(found) <= MAX_PARTS


class TestParts:
    @texts
    def test_parts_lie_in_the_text_and_hold_all_its_words(self, text: str) -> None:
        _check(text)

    @given(text=st.text(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_parts_of_any_text_lie_in_it_and_hold_all_its_words(self, text: str) -> None:
        _check(text)

    def test_a_part_is_a_word(self) -> None:
        assert _words("又闪退了，三次没保存") == ["又", "闪退", "了", "三次", "没", "保存"]

    def test_punctuation_and_emoji_lie_between(self) -> None:
        assert _words("👍 好用！！……闪退😀。") == ["好用", "闪退"]

    def test_full_width_words_are_words(self) -> None:
        assert _words("ＡＰＰ　闪退") == ["ＡＰＰ", "闪退"]

    @pytest.mark.parametrize("text", ["闪退", "卡", "app"])
    def test_a_text_of_one_word_is_one_part(self, text: str) -> None:
        assert parts(text) == [Part(0, len(text))]

    @pytest.mark.parametrize("text", ["", " \n", "👍🎉", "……！？"])
    def test_a_text_without_words_has_no_parts(self, text: str) -> None:
        assert parts(text) == []

    @pytest.mark.parametrize(("words", "count"), [(47, 47), (48, 48), (49, 25), (96, 48), (97, 33)])
    def test_many_words_are_put_together(self, words: int, count: int) -> None:
        assert len(parts("app " * words)) == count

    def test_what_is_put_together_is_about_as_long(self) -> None:
        sizes = [len(text.split()) for text in _words("app " * 100)]
        assert set(sizes[:-1]) == {3}


class TestWithoutEach:
    def test_each_part_is_missing_once(self) -> None:
        text = "又闪退了！"
        assert without_each(text, parts(text)) == ["闪退了！", "又了！", "又闪退！"]

    @texts
    def test_the_rest_stays_as_it_is(self, text: str) -> None:
        found = parts(text)
        for part, shortened in zip(found, without_each(text, found), strict=True):
            assert shortened[: part.start] + text[part.start : part.end] + shortened[part.start :] == text


class TestInfluences:
    def test_a_part_without_which_the_answer_is_less_probable_spoke_for_it(self) -> None:
        (found,) = influences([Part(1, 3)], 0.75, np.array([0.25], np.float32))
        assert found == Influence(1, 3, 0.5)

    def test_a_part_without_which_the_answer_is_more_probable_spoke_against_it(self) -> None:
        (found,) = influences([Part(1, 3)], 0.5, np.array([0.75], np.float32))
        assert found == Influence(1, 3, -0.25)
