"""The few figures of a head on a test set that travel with its bundle; the report has all of them."""

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.aspects import aspect_classes
from training.metrics import accuracy, aspect_f1, expected_calibration_error, macro_f1


def summary(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], threshold: float, presence: float = 0.5
) -> dict[str, float]:
    """Figures of calibrated probabilities, shape (texts, outputs, labels), against truth, shape (texts, outputs).

    With several outputs the first label means absent, and one is present from the probability `presence` on.
    """
    flat, classes = probabilities.reshape(-1, probabilities.shape[-1]), truth.ravel()
    figures = {"texts": float(len(truth)), "ece": round(expected_calibration_error(flat, classes), 4)}
    if truth.shape[1] > 1:
        return figures | {"micro_f1": round(aspect_f1(aspect_classes(probabilities, presence), truth), 4)}
    answered = flat.max(axis=1) >= threshold
    right = flat.argmax(axis=1) == classes
    return figures | {
        "accuracy": round(accuracy(flat, classes), 4),
        "macro_f1": round(macro_f1(flat, classes), 4),
        "answered": round(float(answered.mean()), 4),
        "answered_precision": round(float(right[answered].mean()), 4) if answered.any() else 0.0,
    }
