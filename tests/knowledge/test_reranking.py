"""The first hits ranked again: weights, probabilities, and those further down."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from nlp_service.inference.bundle import Reranking
from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.reranking import reranked
from nlp_service.knowledge.search import Hit

ALONE = Reranking(fused=0, scored=1, strength=1, lead=0, intercept=0)
"""The score is the logit of the probability."""
PROBABILITIES = (0.9, 0.6, 0.3, 0.2)


def _hit(number: int, probability: float) -> Hit:
    document = Document(
        "article",
        number,
        None,
        f"{number}",
        "问题",
        "",
        "解决",
        None,
        None,
        [],
        "published",
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Hit(document, probability, [])


@pytest.fixture
def hits() -> list[Hit]:
    return [_hit(number, probability) for number, probability in enumerate(PROBABILITIES)]


def _ranked(hits: list[Hit], scores: list[float], reranking: Reranking = ALONE) -> list[tuple[int, float]]:
    found = reranked(hits, np.array(scores, np.float32)[:, None], reranking)
    return [(hit.document.id, round(hit.score, 3)) for hit in found]


def test_hits_are_ranked_by_their_scores(hits: list[Hit]) -> None:
    assert [number for number, _ in _ranked(hits, [-1, 3, 0, 1])] == [1, 3, 2, 0]


def test_the_probability_is_the_calibrated_one(hits: list[Hit]) -> None:
    assert _ranked(hits[:2], [0, 2]) == [(1, 0.881), (0, 0.5)]


def test_the_probability_of_the_search_counts_by_its_weight(hits: list[Hit]) -> None:
    fused = ALONE.model_copy(update={"fused": 1.0, "scored": 0.0})
    assert _ranked(hits, [-1, 3, 0, 1], fused) == list(enumerate(PROBABILITIES))


def test_hits_that_were_not_scored_stay_behind(hits: list[Hit]) -> None:
    assert [number for number, _ in _ranked(hits, [-2, -1])] == [1, 0, 2, 3]


def test_no_hit_is_likelier_than_one_before_it(hits: list[Hit]) -> None:
    assert [probability for _, probability in _ranked(hits, [-2, -1])] == [0.269, 0.119, 0.119, 0.119]


def test_equal_hits_keep_their_order(hits: list[Hit]) -> None:
    assert [number for number, _ in _ranked(hits, [1, 1, 1, 1])] == [0, 1, 2, 3]


def test_what_is_stored_twice_answers_no_worse(hits: list[Hit]) -> None:
    leading = ALONE.model_copy(update={"lead": 1.0})
    keys = frozenset(hit.document.key for hit in hits[:2])
    twins = [replace(hit, twins=keys) for hit in hits[:2]]
    alone = dict(_ranked([hits[0], hits[2]], [2, 0], leading))[0]
    assert dict(_ranked([*twins, hits[2]], [2, 2, 0], leading)) == {0: alone, 1: alone, 2: pytest.approx(0.119)}


def test_a_search_that_was_sure_stays_finite() -> None:
    fused = ALONE.model_copy(update={"fused": 1.0})
    assert _ranked([_hit(0, 1.0), _hit(1, 0.0)], [0, 0], fused) == [(0, 1.0), (1, 0.0)]
