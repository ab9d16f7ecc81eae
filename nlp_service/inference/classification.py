"""One label of a set for each text: the kind of a ticket, its severity."""

from dataclasses import dataclass

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.head import Head


@dataclass(frozen=True)
class Classification:
    """The answer for one text."""

    label: str
    confidence: float
    """Probability of `label`, 0…1."""
    probabilities: dict[str, float]
    needs_review: bool


def classifications(head: Head, pooled: Vectors) -> list[Classification]:
    """Answers for pooled vectors, shape (texts, dimension)."""
    results = []
    for row in head.probabilities(pooled).tolist():
        probabilities = dict(zip(head.bundle.labels, row, strict=True))
        label = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[label]
        results.append(Classification(label, confidence, probabilities, confidence < head.bundle.review_threshold))
    return results
