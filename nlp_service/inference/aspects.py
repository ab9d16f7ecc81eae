"""What a review speaks of, and how."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def aspect_classes(probabilities: NDArray[np.float32], presence: float, absent: int = 0) -> NDArray[np.int64]:
    """Class index of each aspect: the likeliest opinion where it is spoken of with at least `presence`, else `absent`.

    `probabilities` has the shape (…, aspects, classes), the answer (…, aspects).
    """
    opinions = probabilities.copy()
    opinions[..., absent] = -1
    return np.where(1 - probabilities[..., absent] >= presence, opinions.argmax(axis=-1), absent)


def aspect_opinions(head: Head, pooled: Vectors) -> list[list[AspectOpinion]]:
    """The aspects of each text, the surest first, for pooled vectors, shape (texts, dimension)."""
    absent = head.bundle.labels.index(ABSENT)
    probabilities = head.probabilities(pooled)
    classes = aspect_classes(probabilities, head.bundle.presence_threshold, absent)
    results = []
    for answers, confidences in zip(classes, probabilities, strict=True):
        found = [
            AspectOpinion(aspect, head.bundle.labels[answer], float(row[answer]))
            for aspect, answer, row in zip(head.bundle.aspects, answers, confidences, strict=True)
            if answer != absent
        ]
        results.append(sorted(found, key=lambda opinion: -opinion.confidence))
    return results
