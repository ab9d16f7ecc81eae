"""Evaluate a head on labelled texts, as a whole and by slice."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.example import LABELS, Example, Task
from training.metrics import (
    accuracy,
    bootstrap,
    confusion,
    expected_calibration_error,
    macro_f1,
    slice_rows,
)

MIN_SLICE = 20


def truth_of(examples: Sequence[Example], task: Task) -> NDArray[np.int64]:
    """Class index of each example."""
    return np.array([LABELS[task].index(example.label) for example in examples], dtype=np.int64)


def report(
    examples: Sequence[Example], task: Task, probabilities: NDArray[np.float32], threshold: float
) -> dict[str, Any]:
    """All figures of one test set, ready for a metrics file."""
    truth = truth_of(examples, task)
    answered = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    return {
        "texts": len(examples),
        "accuracy": bootstrap(accuracy, probabilities, truth).as_dict(),
        "macro_f1": bootstrap(macro_f1, probabilities, truth).as_dict(),
        "ece": round(expected_calibration_error(probabilities, truth), 4),
        "answered_share": round(float(answered.mean()), 4),
        "answered_precision": round(float(right[answered].mean()), 4) if answered.any() else None,
        "labels": list(LABELS[task]),
        "confusion": confusion(probabilities, truth, len(LABELS[task])),
        "slices": _by_slice(examples, probabilities, truth),
    }


def _by_slice(
    examples: Sequence[Example], probabilities: NDArray[np.float32], truth: NDArray[np.int64]
) -> dict[str, Any]:
    slices: dict[str, Any] = {}
    for name in sorted({key for example in examples for key in example.slices}):
        rows_by_value = slice_rows([example.slices.get(name, "–") for example in examples])
        slices[name] = {
            value: {"texts": len(rows), "macro_f1": bootstrap(macro_f1, probabilities[rows], truth[rows]).as_dict()}
            for value, rows in rows_by_value.items()
            if len(rows) >= MIN_SLICE
        }
    return slices
