"""Sentiment of a text."""

from dataclasses import dataclass

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.head import Head


@dataclass(frozen=True)
class Sentiment:
    """The answer for one text."""

    label: str
    score: float
    """P(positive) − P(negative), −1…1."""
    confidence: float
    """Probability of `label`, 0…1."""
    probabilities: dict[str, float]
    needs_review: bool


def sentiments(head: Head, pooled: Vectors) -> list[Sentiment]:
    """Answers for pooled vectors, shape (texts, dimension)."""
    labels = head.bundle.labels
    results = []
    for row in head.probabilities(pooled).tolist():
        probabilities = dict(zip(labels, row, strict=True))
        label = max(probabilities, key=probabilities.__getitem__)
        results.append(
            Sentiment(
                label=label,
                score=probabilities["positive"] - probabilities["negative"],
                confidence=probabilities[label],
                probabilities=probabilities,
                needs_review=probabilities[label] < head.bundle.review_threshold,
            )
        )
    return results
