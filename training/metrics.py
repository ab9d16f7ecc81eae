"""Figures that say how good probabilities are, with their uncertainty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]
Classes = NDArray[np.int64]
BOOTSTRAP_SAMPLES = 1000
ECE_BINS = 15


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Rounded to four digits, for metrics files."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


Measure = Callable[[Probabilities, Classes], float]


def accuracy(probabilities: Probabilities, truth: Classes) -> float:
    """Share of texts whose most probable class is right."""
    return float((probabilities.argmax(axis=1) == truth).mean())


def macro_f1(probabilities: Probabilities, truth: Classes) -> float:
    """Mean F1 over the classes that occur in `truth`."""
    table = np.array(confusion(probabilities, truth, probabilities.shape[1]))
    right, of_class, answered = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return float((2 * right / np.maximum(of_class + answered, 1))[of_class > 0].mean())


def aspect_f1(answers: Classes, truth: Classes) -> float:
    """Micro-F1 of the mentions, shape (texts, aspects), 0 absent: one counts when aspect and polarity are right."""
    right = float(((answers == truth) & (truth > 0)).sum())
    return 2 * right / max(float((answers > 0).sum() + (truth > 0).sum()), 1.0)


def expected_calibration_error(probabilities: Probabilities, truth: Classes) -> float:
    """Gap between confidence and accuracy, averaged over 15 equal-width bins by size (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        abs(float(confidence[bins == number].mean()) - float(right[bins == number].mean()))
        * float((bins == number).mean())
        for number in np.unique(bins)
    ]
    return float(sum(gaps))


def bootstrap(measure: Measure, probabilities: Probabilities, truth: Classes, *, seed: int = 0) -> Figure:
    """`measure` with its 95 % interval over resampled texts."""
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(BOOTSTRAP_SAMPLES):
        rows = generator.integers(0, len(truth), len(truth))
        values.append(measure(probabilities[rows], truth[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return Figure(measure(probabilities, truth), float(low), float(high))


def confusion(probabilities: Probabilities, truth: Classes, classes: int) -> list[list[int]]:
    """Counts, rows by truth and columns by answer."""
    table = np.zeros((classes, classes), dtype=int)
    np.add.at(table, (truth, probabilities.argmax(axis=1)), 1)
    rows: list[list[int]] = table.tolist()
    return rows


def slice_rows(values: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Row numbers of each value."""
    array = np.array(values)
    return {str(value): np.flatnonzero(array == value) for value in np.unique(array)}
