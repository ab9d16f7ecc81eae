"""Fits what turns cosines and term scores into probabilities, on queries whose articles are known.

Weights of the ranking: cross-entropy of the right article among all (listwise softmax, Cao et al. 2007). Calibration:
for each query the first hits as they are, and as they would be if the knowledge base lacked the right article, so that
"nothing fits" is learned as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.lexical_index import LexicalIndex
from nlp_service.knowledge.query import alternatives, words_of
from nlp_service.knowledge.relevance import Calibration, Mode, Relevance
from nlp_service.text.segmentation import terms
from training.search.figures import Encode
from training.search.pairs import Query, SearchData, passage_of, searched_text

HITS = 3
"""So many of a query's first hits are calibrated by."""
RIDGE = 1e-3
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """What a search measures of every article, for queries whose article is known."""

    cosines: Values
    """Shape (queries, articles)."""
    shares: Values
    """BM25 as a share of the best possible score, shape (queries, articles)."""
    words: Values
    """How many words each query says."""
    answer: NDArray[np.int64]
    """The right article of each query."""


def measured(
    queries: Sequence[str],
    passages: Sequence[str],
    texts: Sequence[str],
    answer: NDArray[np.int64],
    encode_query: Encode,
    encode_passage: Encode,
) -> Measured:
    """Of articles with these encoded `passages` and `texts` whose terms count."""
    index = LexicalIndex()
    for number, text in enumerate(texts):
        index.put(number, terms(text))
    asked = [alternatives(dict.fromkeys(terms(query))) for query in queries]
    rows = [index.scores(words).shares_of(range(len(texts))) for words in asked]
    cosines = normalise(encode_query(queries)) @ normalise(encode_passage(passages)).T
    return Measured(cosines.astype(np.float64), np.array(rows), np.array([words_of(words) for words in asked]), answer)


def measured_queries(
    data: SearchData, queries: Sequence[Query], encode_query: Encode, encode_passage: Encode
) -> Measured:
    """Of all articles of `data`, for these queries."""
    articles, keys = list(data.articles.values()), list(data.articles)
    return measured(
        [query.query for query in queries],
        [passage_of(article) for article in articles],
        [searched_text(article) for article in articles],
        np.array([keys.index(query.external_id) for query in queries], np.int64),
        encode_query,
        encode_passage,
    )


def fit_relevance(data: Measured) -> Relevance:
    """Weights and calibrations for this encoder."""
    cosine, lexical = fit_weights(data.cosines, data.shares, data.answer)
    return Relevance(cosine=cosine, lexical=lexical, **fit_calibrations(data, cosine, lexical))


def fit_calibrations(data: Measured, cosine: float, lexical: float) -> dict[str, Calibration]:
    """Of each way to search, for these weights of the ranking: fields of `Relevance`.

    The lead counts by the number of words where words are looked at; of vectors it does not (docs/decisions/0014).
    """
    strengths: dict[Mode, Values] = {
        "hybrid": cosine * data.cosines + lexical * data.shares,
        "dense": data.cosines,
        "lexical": data.shares,
    }
    words = np.repeat(data.words, 2)
    shares, _ = searches(data.shares, data.answer)
    found = {mode: searches(values, data.answer) for mode, values in strengths.items()}
    return {
        "hybrid_calibration": fit_calibration(*found["hybrid"], words=words, shares=shares),
        "dense_calibration": fit_calibration(*found["dense"]),
        "lexical_calibration": fit_calibration(*found["lexical"], words=words),
    }


def fit_weights(first: Values, second: Values, answer: NDArray[np.int64]) -> tuple[float, float]:
    """Of two measures, shape (queries, records), in the sum that makes the right record the likeliest."""
    rows = np.arange(len(answer))

    def loss(weights: Values) -> float:
        strengths = weights[0] * first + weights[1] * second
        likelihood = strengths[rows, answer] - logsumexp(strengths, axis=1)
        return float(-likelihood.mean() + RIDGE * (weights**2).mean())

    found = minimize(loss, np.array([10.0, 10.0]), method="L-BFGS-B", bounds=[(0, None), (0, None)])
    return round(float(found.x[0]), 2), round(float(found.x[1]), 2)


def searches(strengths: Values, answer: NDArray[np.int64]) -> tuple[list[Values], list[int]]:
    """Each row of strengths, shape (queries, records), as it is and without its answer; and the answers, or -1."""
    rows = zip(strengths, answer.tolist(), strict=True)
    both = [(one, place) for row, own in rows for one, place in ((row, own), (np.delete(row, own), -1))]
    return [one for one, _ in both], [place for _, place in both]


def fit_calibration(
    found: Sequence[Values],
    answer: Sequence[int],
    *,
    words: Values | None = None,
    shares: Sequence[Values] | None = None,
) -> Calibration:
    """Of the strengths of each search's records, and the place of the right one, -1 where none is right.

    With the `words` of each query the lead counts by their number; with `shares`, as `found`, these count beside.
    """
    features, right = [], []
    for search, (one, own) in enumerate(zip(found, answer, strict=True)):
        first = np.argsort(-one)[: HITS + 1]
        times = 1.0 if words is None else np.log1p(words[search])
        for place in range(HITS):
            best_other = one[first[1]] if place == 0 else one[first[0]]
            share = 0.0 if shares is None else shares[search][first[place]]
            features.append([one[first[place]], times * (one[first[place]] - best_other), share])
            right.append(bool(first[place] == own))
    model = LogisticRegression(C=100, max_iter=5000).fit(np.array(features), np.array(right))
    strength, lead, lexical = (round(float(weight), 3) for weight in model.coef_[0])
    intercept = round(float(model.intercept_[0]), 3)
    if words is None:
        return Calibration(strength=strength, lead=lead, lexical=lexical, intercept=intercept)
    return Calibration(strength=strength, lead=0.0, worded_lead=lead, lexical=lexical, intercept=intercept)
