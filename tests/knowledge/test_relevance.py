"""Relevance: what ranks the hits, and the probability that they answer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.errors import BundleError
from nlp_service.knowledge.relevance import MODES, UNFITTED, Calibration, Found, Mode, Values, relevance_of, rivals

COSINES, SHARES = [0.9, 0.7, 0.7, 0.6], [0.1, 0.8, 0.2, 0.0]
LEADING = Calibration(strength=0.1, lead=0.5, intercept=-3)


def _hybrid(cosines: list[float], shares: list[float], words: float = 10) -> Values:
    strengths = UNFITTED.strengths("hybrid", cosines, shares)
    return UNFITTED.probabilities("hybrid", Found(strengths, np.array(shares), words))


def test_a_dense_search_ranks_by_the_cosine_alone() -> None:
    assert UNFITTED.strengths("dense", COSINES, SHARES).tolist() == COSINES


def test_a_lexical_search_ranks_by_the_share_alone() -> None:
    assert UNFITTED.strengths("lexical", COSINES, SHARES).tolist() == SHARES


def test_a_hybrid_search_ranks_by_the_weighted_sum() -> None:
    expected = UNFITTED.cosine * np.array(COSINES) + UNFITTED.lexical * np.array(SHARES)
    assert UNFITTED.strengths("hybrid", COSINES, SHARES) == pytest.approx(expected)


@pytest.mark.parametrize("mode", MODES)
def test_probabilities_keep_the_order(mode: Mode) -> None:
    strengths = UNFITTED.strengths(mode, COSINES, SHARES)
    probabilities = UNFITTED.probabilities(mode, Found(strengths, np.array(SHARES), 3))
    assert np.argsort(-probabilities, kind="stable").tolist() == np.argsort(-strengths, kind="stable").tolist()
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_a_hit_far_above_the_others_is_more_probable_than_one_among_equals() -> None:
    alone, crowded = _hybrid([0.8, 0.7], [0.4, 0.1]), _hybrid([0.8, 0.79], [0.4, 0.4])
    assert alone[0] > crowded[0] + 0.3


def test_standing_out_by_one_word_says_less_than_by_ten() -> None:
    cosines, shares = [0.75, 0.7], [0.4, 0.1]
    assert _hybrid(cosines, shares, words=1)[0] < _hybrid(cosines, shares, words=10)[0] - 0.3


def test_a_word_that_stands_in_one_article_alone_does_not_answer() -> None:
    assert _hybrid([0.713, 0.71], [0.40, 0.06], words=1)[0] < 0.5


def test_a_bonus_that_all_have_changes_no_probability() -> None:
    strengths = np.array([20.0, 14.0])
    plain, favoured = (LEADING.probabilities(Found(strengths, bonus=bonus)) for bonus in (None, np.array([3.0, 3.0])))
    assert favoured == pytest.approx(plain)


def test_a_bonus_that_one_has_raises_it_above_the_others() -> None:
    strengths = np.array([14.0, 14.5])
    favoured = LEADING.probabilities(Found(strengths, bonus=np.array([3.0, 0.0])))
    assert favoured[0] > LEADING.probabilities(Found(strengths))[0]
    assert favoured[0] > favoured[1]


def _twins(*groups: int) -> NDArray[np.bool_]:
    """Of hits that belong to these groups, which are of one group."""
    names = np.array(groups)
    same: NDArray[np.bool_] = np.equal.outer(names, names)
    return same


def test_what_is_stored_twice_answers_no_worse() -> None:
    once, twice = np.array([20.0, 14.0, 13.0]), np.array([20.0, 20.0, 14.0, 13.0])
    expected = LEADING.probabilities(Found(once))[0]
    assert LEADING.probabilities(Found(twice), _twins(1, 1, 2, 3))[:2] == pytest.approx([expected, expected])


def test_of_another_matter_an_equal_one_leaves_doubt() -> None:
    equals = Found(np.array([20.0, 20.0, 14.0]))
    assert LEADING.probabilities(equals, _twins(1, 2, 3))[0] == pytest.approx(LEADING.probabilities(equals)[0])


def test_hits_that_all_tell_the_same_have_no_rival() -> None:
    assert rivals(np.array([20.0, 19.0]), _twins(1, 1)).tolist() == [20.0, 19.0]


def test_twins_of_twins_keep_the_order() -> None:
    twins = np.array([[True, True, False], [True, True, True], [False, True, True]])
    probabilities = LEADING.probabilities(Found(np.array([20.0, 19.9, 19.8])), twins)
    assert (np.diff(probabilities) <= 0).all()


@pytest.mark.parametrize("count", [0, 1])
def test_few_hits_have_probabilities_too(count: int) -> None:
    assert LEADING.probabilities(Found(np.full(count, 20.0))).shape == (count,)


def test_an_encoder_without_its_own_gets_that_of_the_shipped_one() -> None:
    assert relevance_of(None) is UNFITTED


def test_what_was_fitted_is_read_from_the_bundle() -> None:
    fitted = UNFITTED.model_copy(update={"cosine": 1.5})
    assert relevance_of(fitted.model_dump()) == fitted


def test_what_was_fitted_before_words_counted_is_read() -> None:
    old = UNFITTED.model_dump() | {"hybrid_calibration": {"strength": 0.23, "lead": 0.789, "intercept": -7.145}}
    assert relevance_of(old).hybrid_calibration.worded_lead == 0


def test_what_is_broken_is_named() -> None:
    with pytest.raises(BundleError, match="relevance: dense_calibration"):
        relevance_of({**UNFITTED.model_dump(), "dense_calibration": 1})
