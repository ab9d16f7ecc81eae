"""The first hits of a search, ranked again by a cross-encoder, which reads the query together with each of them.

Its score does not replace what the search knows: hits are ranked by a weighted sum of both (docs/decisions/0017).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import Reranking
from nlp_service.inference.encoder import Vectors
from nlp_service.inference.reranker import Reranker
from nlp_service.knowledge.keys import Mask
from nlp_service.knowledge.relevance import Calibration, Found
from nlp_service.knowledge.search import Hit

SURE = 1e-6
"""Probabilities nearer to 0 or 1 count as this near."""


def fused_logits(probabilities: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The logits of the probabilities that a search gave, within ±13.8."""
    bounded = np.clip(np.asarray(probabilities, np.float64), SURE, 1 - SURE)
    logits: NDArray[np.float64] = np.log(bounded / (1 - bounded))
    return logits


def reranked(hits: Sequence[Hit], scores: Vectors, reranking: Reranking) -> list[Hit]:
    """`hits`, the best first, with as many of the first ranked again as there are scores, shape (scores, 1).

    Those further down stay as they are, but for their probability: none is higher than that of a hit before it.
    """
    first, rest = hits[: len(scores)], hits[len(scores) :]
    logits = fused_logits([hit.score for hit in first])
    strengths = reranking.fused * logits + reranking.scored * scores[:, 0].astype(np.float64)
    calibration = Calibration(strength=reranking.strength, lead=reranking.lead, intercept=reranking.intercept)
    order = np.argsort(-strengths, kind="stable")
    ranked = [first[place] for place in order]
    probabilities = calibration.probabilities(Found(strengths[order]), _twins(ranked))
    ranked = [replace(hit, score=float(score)) for hit, score in zip(ranked, probabilities, strict=True)]
    least = min((hit.score for hit in ranked), default=1.0)
    return ranked + [replace(hit, score=min(hit.score, least)) for hit in rest]


def _twins(hits: Sequence[Hit]) -> Mask:
    """Which of the hits tell the same, shape (hits, hits)."""
    keys = [hit.document.key for hit in hits]
    same: Mask = np.array([[other in hit.twins for other in keys] for hit in hits], bool).reshape(len(hits), len(hits))
    return same


def texts_of(hits: Sequence[Hit], reranker: Reranker) -> list[str]:
    """What the reranker reads of the first hits."""
    return [hit.document.told for hit in hits[: reranker.top]]


def rerank(query: str, hits: Sequence[Hit], reranker: Reranker) -> list[Hit]:
    """Rank the first hits again, and wait for it; raises Overloaded when too much waits."""
    if not hits:
        return []
    return reranked(hits, reranker.submit(query, texts_of(hits, reranker)).result(), reranker.reranking)
