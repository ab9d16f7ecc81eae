"""Fits what the scores of a cross-encoder are worth, on queries that no search encoder was trained on.

For each query the first hits of the hybrid search, with their probabilities, are scored; the weights of both and the
calibration are found as for the search itself (`relevance.py`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import Reranking
from nlp_service.inference.encoder import Vectors
from nlp_service.inference.pairs import pair
from nlp_service.inference.search_encoder import SearchEncoder
from nlp_service.knowledge.relevance import Found, Relevance, relevance_of
from nlp_service.knowledge.reranking import fused_logits
from training.search.pairs import Query, SearchData, passage_of
from training.search.relevance import Measured, Values, fit_calibration, fit_weights, measured_queries

TOP = 20
"""So many hits of each query are scored."""
Score = Callable[[Sequence[str]], Vectors]
"""Scores of pairs, shape (pairs, 1)."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The first hits of queries in the hybrid search."""

    queries: list[str]
    passages: list[list[str]]
    """For each query what a reranker reads of each hit, the best hit first."""
    logits: Values
    """Of the hits' probabilities, shape (queries, hits)."""
    lacking: Values
    """The same if the knowledge base lacked the right article."""
    answer: NDArray[np.int64]
    """The place of the right hit, -1 where it is not among them."""


@dataclass(frozen=True)
class Fitted:
    """What the scores are worth, and recall@1 on the same queries without and with them."""

    reranking: Reranking
    queries: int
    before: float
    after: float
    milliseconds: float
    """Of scoring the hits of one query."""


def validation_queries(data: SearchData, limit: int | None = None) -> list[Query]:
    """Those that nothing was trained on, and that are not held out."""
    return [query for query in data.queries if query.split != "train" and not query.held_out][:limit]


def candidates(data: SearchData, queries: Sequence[Query], encoder: SearchEncoder, top: int = TOP) -> Candidates:
    """Found with this search encoder among all articles; so many hits of each query."""
    articles, keys = list(data.articles.values()), list(data.articles)
    relevance = relevance_of(encoder.bundle.relevance)
    found = measured_queries(data, queries, encoder.query, encoder.passage)
    strengths = relevance.cosine * found.cosines + relevance.lexical * found.shares
    first = np.argsort(-strengths, axis=1, kind="stable")[:, :top]
    told = [f"{passage_of(article)}\n{article.solution}" for article in articles]
    right = first == found.answer[:, None]
    own = np.arange(len(keys)) == found.answer[:, None]
    return Candidates(
        queries=[query.query for query in queries],
        passages=[[told[place] for place in row] for row in first],
        logits=_logits(relevance, found, strengths, first),
        lacking=_logits(relevance, found, np.where(own, -np.inf, strengths), first),
        answer=np.where(right.any(axis=1), right.argmax(axis=1), -1),
    )


def fit_reranking(found: Candidates, score: Score) -> Fitted:
    """Weights and calibration of a cross-encoder; a weight of 0 means that it does not help."""
    started = time.perf_counter()
    scores = np.stack(
        [
            score([pair(query, passage) for passage in passages])[:, 0]
            for query, passages in zip(found.queries, found.passages, strict=True)
        ]
    ).astype(np.float64)
    seconds = time.perf_counter() - started
    known = found.answer >= 0
    fused, scored = fit_weights(found.logits[known], scores[known], found.answer[known])
    strengths = fused * found.logits + scored * scores
    lacking = fused * found.lacking + scored * scores
    calibration = fit_calibration(
        [*strengths, *(np.delete(row, own) for row, own in zip(lacking[known], found.answer[known], strict=True))],
        [*found.answer.tolist(), *[-1] * int(known.sum())],
    )
    return Fitted(
        reranking=Reranking(
            fused=fused,
            scored=scored,
            strength=calibration.strength,
            lead=calibration.lead,
            intercept=calibration.intercept,
        ),
        queries=len(found.queries),
        before=float((found.answer == 0).mean()),
        after=float((strengths.argmax(axis=1) == found.answer).mean()),
        milliseconds=seconds / len(found.queries) * 1000,
    )


def _logits(relevance: Relevance, data: Measured, strengths: Values, first: NDArray[np.int64]) -> Values:
    """Of the probabilities of the records at the places in `first`, shape (queries, hits)."""
    rows = zip(strengths, data.shares, data.words.tolist(), strict=True)
    probabilities = [relevance.probabilities("hybrid", Found(row, shares, words)) for row, shares, words in rows]
    return fused_logits(np.take_along_axis(np.array(probabilities), first, axis=1))
