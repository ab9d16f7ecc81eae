"""What the scores of a cross-encoder are worth."""

from collections.abc import Sequence

import numpy as np
import pytest

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.pairs import BETWEEN
from tests.crossencoders import few_articles
from training.search.reranking import Candidates, Fitted, fit_reranking, validation_queries

QUERIES, HITS = 40, 5


@pytest.fixture(scope="module")
def found() -> Candidates:
    """Of every other query the right hit is the second."""
    generator = np.random.default_rng(0)
    logits = np.tile(np.array([1.0, 0.8, -1.0, -2.0, -3.0]), (QUERIES, 1)) + generator.normal(0, 0.1, (QUERIES, HITS))
    answer = np.arange(QUERIES) % 2
    return Candidates(
        queries=[str(number) for number in range(QUERIES)],
        passages=[["right" if place == own else "wrong" for place in range(HITS)] for own in answer],
        logits=logits,
        lacking=logits,
        answer=answer,
    )


def _knowing(texts: Sequence[str]) -> Vectors:
    return np.array([[2.0 if text.split(BETWEEN)[1] == "right" else -2.0] for text in texts], np.float32)


def _misled(texts: Sequence[str]) -> Vectors:
    return -_knowing(texts)


@pytest.fixture(scope="module")
def knowing(found: Candidates) -> Fitted:
    return fit_reranking(found, _knowing)


def test_a_model_that_knows_brings_every_answer_to_the_top(knowing: Fitted) -> None:
    assert (knowing.before, knowing.after) == (0.5, 1.0)


def test_more_strength_means_more_probability(knowing: Fitted) -> None:
    assert knowing.reranking.strength > 0


def test_a_model_that_misleads_gets_no_weight(found: Candidates) -> None:
    fitted = fit_reranking(found, _misled)
    assert (fitted.reranking.scored, fitted.after) == (0.0, fitted.before)


def test_nothing_is_fitted_on_what_was_trained_on_or_held_out() -> None:
    queries = validation_queries(few_articles())
    assert queries
    assert not any(query.held_out or query.split == "train" for query in queries)
