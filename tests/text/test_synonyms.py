"""Synonyms: words of one group stand for each other."""

import pytest

from nlp_service.text.segmentation import terms
from nlp_service.text.synonyms import synonyms


@pytest.mark.parametrize(
    ("word", "other"), [("闪退", "crash"), ("crash", "闪退"), ("登陆", "登录"), ("发票", "invoice")]
)
def test_words_of_a_group_stand_for_each_other(word: str, other: str) -> None:
    assert other in synonyms(word)


def test_a_word_is_not_its_own_synonym() -> None:
    assert "闪退" not in synonyms("闪退")


def test_a_word_of_several_groups_has_the_synonyms_of_all() -> None:
    assert {"掉线", "断网"} <= set(synonyms("offline"))


def test_most_words_have_none() -> None:
    assert synonyms("霓虹") == ()


@pytest.mark.parametrize("traditional", ["閃退", "發票"])
def test_traditional_words_reach_them_by_their_terms(traditional: str) -> None:
    (term,) = terms(traditional)
    assert synonyms(term)
