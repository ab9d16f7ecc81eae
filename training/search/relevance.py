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
from nlp_service.knowledge.query import alternatives
from nlp_service.knowledge.relevance import MODES, Calibration, Mode, Relevance
from nlp_service.text.segmentation import terms
from training.search.figures import Encode

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
    rows = []
    for query in queries:
        scores = index.scores(alternatives(dict.fromkeys(terms(query))))
        rows.append(scores.shares_of(range(len(texts))))
    cosines = normalise(encode_query(queries)) @ normalise(encode_passage(passages)).T
    return Measured(cosines.astype(np.float64), np.array(rows), answer)


def fit_relevance(data: Measured) -> Relevance:
    """Weights and calibrations for this encoder."""
    cosine, lexical = fit_weights(data.cosines, data.shares, data.answer)
    strengths: dict[Mode, Values] = {
        "hybrid": cosine * data.cosines + lexical * data.shares,
        "dense": data.cosines,
        "lexical": data.shares,
    }
    fitted = {f"{mode}_calibration": fit_calibration(*searches(strengths[mode], data.answer)) for mode in MODES}
    return Relevance(cosine=cosine, lexical=lexical, **fitted)


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


def fit_calibration(found: Sequence[Values], answer: Sequence[int]) -> Calibration:
    """Of the strengths of each search's records, and the place of the right one, -1 where none is right."""
    features, right = [], []
    for one, own in zip(found, answer, strict=True):
        first = np.argsort(-one)[: HITS + 1]
        for place in range(HITS):
            best_other = one[first[1]] if place == 0 else one[first[0]]
            features.append([one[first[place]], one[first[place]] - best_other])
            right.append(bool(first[place] == own))
    model = LogisticRegression(C=100, max_iter=5000).fit(np.array(features), np.array(right))
    strength, lead = model.coef_[0]
    return Calibration(
        strength=round(float(strength), 3), lead=round(float(lead), 3), intercept=round(float(model.intercept_[0]), 3)
    )
