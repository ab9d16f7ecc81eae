"""Relevance: what ranks the hits, and the probability that they answer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.errors import BundleError
from nlp_service.knowledge.relevance import MODES, UNFITTED, Mode, relevance_of, rivals

COSINES, SHARES = [0.9, 0.7, 0.7, 0.6], [0.1, 0.8, 0.2, 0.0]


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
    probabilities = UNFITTED.probabilities(mode, strengths)
    assert np.argsort(-probabilities, kind="stable").tolist() == np.argsort(-strengths, kind="stable").tolist()
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_a_hit_far_above_the_others_is_more_probable_than_one_among_equals() -> None:
    alone, crowded = np.array([20.0, 14.0, 14.0]), np.array([20.0, 19.9, 19.8])
    assert UNFITTED.probabilities("hybrid", alone)[0] > UNFITTED.probabilities("hybrid", crowded)[0] + 0.3


def _twins(*groups: int) -> NDArray[np.bool_]:
    """Of hits that belong to these groups, which are of one group."""
    names = np.array(groups)
    same: NDArray[np.bool_] = np.equal.outer(names, names)
    return same


def test_what_is_stored_twice_answers_no_worse() -> None:
    once, twice = np.array([20.0, 14.0, 13.0]), np.array([20.0, 20.0, 14.0, 13.0])
    expected = UNFITTED.probabilities("hybrid", once)[0]
    assert UNFITTED.probabilities("hybrid", twice, _twins(1, 1, 2, 3))[:2] == pytest.approx([expected, expected])


def test_of_another_matter_an_equal_one_leaves_doubt() -> None:
    equals = np.array([20.0, 20.0, 14.0])
    assert UNFITTED.probabilities("hybrid", equals, _twins(1, 2, 3))[0] == pytest.approx(
        UNFITTED.probabilities("hybrid", equals)[0]
    )


def test_hits_that_all_tell_the_same_have_no_rival() -> None:
    assert rivals(np.array([20.0, 19.0]), _twins(1, 1)).tolist() == [20.0, 19.0]


def test_twins_of_twins_keep_the_order() -> None:
    twins = np.array([[True, True, False], [True, True, True], [False, True, True]])
    probabilities = UNFITTED.probabilities("hybrid", np.array([20.0, 19.9, 19.8]), twins)
    assert (np.diff(probabilities) <= 0).all()


@pytest.mark.parametrize("count", [0, 1])
def test_few_hits_have_probabilities_too(count: int) -> None:
    assert UNFITTED.probabilities("hybrid", np.full(count, 20.0)).shape == (count,)


def test_an_encoder_without_its_own_gets_that_of_the_shipped_one() -> None:
    assert relevance_of(None) is UNFITTED


def test_what_was_fitted_is_read_from_the_bundle() -> None:
    fitted = UNFITTED.model_copy(update={"cosine": 1.5})
    assert relevance_of(fitted.model_dump()) == fitted


def test_what_is_broken_is_named() -> None:
    with pytest.raises(BundleError, match="relevance: dense_calibration"):
        relevance_of({**UNFITTED.model_dump(), "dense_calibration": 1})
