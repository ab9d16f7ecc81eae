"""Fitting relevance: weights and probabilities that hold on queries that were not fitted on."""

import numpy as np
import pytest

from nlp_service.knowledge.relevance import MODES, Found, Mode, Relevance
from training.search.relevance import Measured, fit_relevance, measured

QUERIES, ARTICLES = 300, 40


def drawn(seed: int) -> Measured:
    """Cosines that tell something and shares that tell more, of the right article and of the others."""
    generator = np.random.default_rng(seed)
    answer = generator.integers(0, ARTICLES, QUERIES)
    own = np.arange(ARTICLES) == answer[:, None]
    cosines = 0.65 + 0.05 * generator.standard_normal((QUERIES, ARTICLES)) + 0.08 * own
    shares = np.clip(0.1 + 0.08 * generator.standard_normal((QUERIES, ARTICLES)) + 0.3 * own, 0, 1)
    return Measured(cosines, shares, np.full(QUERIES, 6.0), answer)


@pytest.fixture(scope="module")
def fitted() -> Relevance:
    return fit_relevance(drawn(1))


def _recall(strengths: np.ndarray, answer: np.ndarray) -> float:
    return float((strengths.argmax(axis=1) == answer).mean())


def test_both_together_find_more_than_either(fitted: Relevance) -> None:
    new = drawn(2)
    both = fitted.cosine * new.cosines + fitted.lexical * new.shares
    assert _recall(both, new.answer) > max(_recall(new.cosines, new.answer), _recall(new.shares, new.answer))


@pytest.mark.parametrize("mode", MODES)
def test_probabilities_of_the_first_hits_are_right_on_the_whole(fitted: Relevance, mode: Mode) -> None:
    """Half of the queries have no answer among the articles."""
    new = drawn(3)
    probable, right = [], []
    for number, (cosines, shares, own) in enumerate(zip(new.cosines, new.shares, new.answer, strict=True)):
        here = np.ones(ARTICLES, bool)
        here[own] = number % 2 == 0
        strengths = fitted.strengths(mode, cosines[here].tolist(), shares[here].tolist())
        probable.append(fitted.probabilities(mode, Found(strengths, shares[here], 6.0)).max())
        right.append(bool(here[own] and np.flatnonzero(here)[strengths.argmax()] == own))
    assert np.mean(probable) == pytest.approx(np.mean(right), abs=0.08)
    assert np.mean([p for p, r in zip(probable, right, strict=True) if r]) > np.mean(
        [p for p, r in zip(probable, right, strict=True) if not r]
    )


def test_articles_are_measured_as_the_service_does() -> None:
    vectors = {"如何开票": [1.0, 0.0], "开发票": [0.8, 0.6], "重启路由器": [0.0, 1.0]}
    found = measured(
        ["如何开票"],
        ["开发票", "重启路由器"],
        ["开发票", "重启路由器"],
        np.array([0]),
        lambda texts: np.array([vectors[text] for text in texts], np.float32),
        lambda texts: np.array([vectors[text] for text in texts], np.float32),
    )
    assert found.cosines == pytest.approx(np.array([[0.8, 0.0]]))
    assert found.shares[0, 0] > found.shares[0, 1] == 0
    assert found.words.tolist() == [1]


def test_a_lead_counts_by_the_words_where_words_are_looked_at(fitted: Relevance) -> None:
    calibrations = (fitted.hybrid_calibration, fitted.lexical_calibration, fitted.dense_calibration)
    assert [(one.lead > 0, one.worded_lead > 0) for one in calibrations] == [
        (False, True),
        (False, True),
        (True, False),
    ]
