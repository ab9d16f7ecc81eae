"""Make probabilities mean what they say, and choose when to ask a person."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from nlp_service.inference.head import softmax

MIN_ANSWERED = 50


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The temperature that minimises the negative log-likelihood of the true classes (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.float32(np.exp(log_temperature)))
        return -float(np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def review_threshold(probabilities: NDArray[np.float32], truth: NDArray[np.int64], precision: float) -> float:
    """The lowest confidence above which the answers are right with at least `precision`.

    At least 50 answers (all of them, when there are fewer) must lie above it, else the threshold rests on chance; 1.0
    when no threshold reaches the precision. Answers of equal confidence stand on the same side.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order]
    precisions = np.cumsum(right) / np.arange(1, len(right) + 1)
    counts = np.arange(1, len(right) + 1)
    last_of_its_confidence = np.append(np.diff(confidence[order]) < 0, True)
    enough = np.flatnonzero(
        (precisions >= precision) & (counts >= min(MIN_ANSWERED, len(right))) & last_of_its_confidence
    )
    return float(confidence[order[enough[-1]]]) if len(enough) else 1.0


def presence_threshold(present: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """The probability, 0.2…0.8, above which to say that an aspect is spoken of: it gives the best F1 of mentions.

    `present` and `truth` have shape (texts, aspects).
    """

    def f1(threshold: float) -> float:
        said = present >= threshold
        return float(2 * (said & truth).sum() / max(int(said.sum() + truth.sum()), 1))

    return max((step / 100 for step in range(20, 81, 2)), key=f1)
