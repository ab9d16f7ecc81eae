"""What a review speaks of, and how."""

from dataclasses import dataclass

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.head import Head

ABSENT = "absent"


@dataclass(frozen=True)
class AspectOpinion:
    """One aspect that the text speaks of."""

    aspect: str
    label: str
    """negative, neutral or positive."""
    confidence: float
    """Probability that the text speaks of the aspect in this way, 0…1."""


def aspect_opinions(head: Head, pooled: Vectors) -> list[list[AspectOpinion]]:
    """The aspects of each text, the surest first, for pooled vectors, shape (texts, dimension)."""
    absent = head.bundle.labels.index(ABSENT)
    threshold = head.bundle.presence_threshold
    results = []
    for text in head.probabilities(pooled).tolist():
        found = []
        for aspect, row in zip(head.bundle.aspects, text, strict=True):
            if 1 - row[absent] >= threshold:
                opinions = {
                    label: value for label, value in zip(head.bundle.labels, row, strict=True) if label != ABSENT
                }
                label = max(opinions, key=opinions.__getitem__)
                found.append(AspectOpinion(aspect, label, opinions[label]))
        results.append(sorted(found, key=lambda opinion: -opinion.confidence))
    return results
