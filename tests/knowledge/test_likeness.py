"""The probability that two tickets tell the same matter."""

import math

import numpy as np
import pytest

from nlp_service.errors import BundleError
from nlp_service.knowledge.likeness import LONG, UNFITTED, likeness_of, log_lengths


def _probability(cosine: float, text: str, *, same_label: bool = True) -> float:
    (found,) = UNFITTED.probabilities(np.array([cosine]), log_lengths([text]), np.array([same_label]))
    return float(found)


def test_two_equal_texts_of_few_letters_tell_the_same_matter() -> None:
    assert _probability(1.0, "闪退") > 0.5


def test_a_higher_cosine_is_more_probable() -> None:
    assert _probability(0.95, "导出报表超时") > _probability(0.9, "导出报表超时")


def test_a_short_text_needs_a_higher_cosine() -> None:
    assert _probability(0.93, "打不开") < _probability(0.93, "点开始会议以后页面一直打不开")


def test_a_wish_and_a_fault_are_less_probably_one_matter() -> None:
    assert _probability(0.93, "导出报表超时", same_label=False) < _probability(0.93, "导出报表超时")


@pytest.mark.parametrize(
    ("text", "letters"), [("导出 报表!", 4), ("a-1", 2), ("。。", 1), ("", 1), ("长" * 2000, LONG)]
)
def test_letters_and_digits_are_counted_up_to_a_limit(text: str, letters: int) -> None:
    assert log_lengths([text]).tolist() == [pytest.approx(math.log(letters))]


def test_what_was_fitted_for_an_encoder_is_read_from_its_bundle() -> None:
    fitted = UNFITTED.model_copy(update={"cosine": 50.0})
    assert likeness_of(fitted.model_dump()) == fitted


def test_an_encoder_without_its_own_gets_that_of_the_shipped_one() -> None:
    assert likeness_of(None) is UNFITTED


def test_what_is_broken_is_named() -> None:
    with pytest.raises(BundleError, match="likeness: length"):
        likeness_of({**UNFITTED.model_dump(), "length": "long"})
