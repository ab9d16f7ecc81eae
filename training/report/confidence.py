"""Whether confidence can be relied on: reliability diagram, risk and coverage, and what the threshold gives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import ECE_BINS
from training.report.resampling import Resamples, ratio, rounded
from training.report.scored import Classes, Probabilities, Scored

MAX_POINTS = 100


def reliability(probabilities: Probabilities, truth: Classes) -> list[dict[str, float]]:
    """Mean confidence, accuracy and share of the texts in each bin that holds any; the bins are those of the ECE.

    Shapes (texts, labels) and (texts,).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    return [
        {
            "confidence": round(float(confidence[bins == number].mean()), 4),
            "accuracy": round(float(right[bins == number].mean()), 4),
            "share": round(float((bins == number).mean()), 4),
        }
        for number in np.unique(bins)
    ]


class Selection:
    """Answers by confidence. For `aspects` only the mentions that were given count as answers."""

    def __init__(self, scored: Scored) -> None:
        answers = scored.answers
        chosen = np.take_along_axis(scored.probabilities, answers[..., None], axis=-1)[..., 0]
        texts = len(answers)
        self._confidence: NDArray[np.float32] = chosen.reshape(texts, -1)
        self._right: NDArray[np.bool_] = (answers == scored.truth).reshape(texts, -1)
        everything = np.ones(self._right.shape, bool)
        self._given: NDArray[np.bool_] = answers > 0 if scored.task == "aspects" else everything

    def curve(self) -> list[dict[str, float]]:
        """Share of wrong answers (risk) among the surest, by the share that is answered; at most 100 points.

        El-Yaniv and Wiener 2010. Answers of equal confidence stand on the same side.
        """
        confidence, right = self._confidence[self._given], self._right[self._given]
        if not len(confidence):
            return []
        order = np.argsort(-confidence, kind="stable")
        confidence, wrong = confidence[order], np.cumsum(~right[order])
        ends = np.flatnonzero(np.append(np.diff(confidence) < 0, True))
        kept = ends[np.unique(np.linspace(0, len(ends) - 1, MAX_POINTS).round().astype(int))]
        return [
            {
                "coverage": round(float((end + 1) / len(confidence)), 4),
                "risk": round(float(wrong[end] / (end + 1)), 4),
                "confidence": round(float(confidence[end]), 4),
            }
            for end in kept
        ]

    def at(self, threshold: float, resamples: Resamples) -> dict[str, Any]:
        """Share of answers that reach the threshold, and of these the share that is right."""
        kept = self._given & (self._confidence >= threshold)
        parts = [resamples.totals(part.sum(axis=1)) for part in (self._given, kept, kept & self._right)]
        given, answered, right = parts
        return {
            "threshold": round(threshold, 6),
            "coverage": rounded(ratio(answered, given)),
            "precision": rounded(ratio(right, answered)),
        }
