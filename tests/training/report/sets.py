"""Small scored sets whose figures are known."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.example import ASPECTS, LABELS, Example, Task
from training.report.scored import Probabilities, Scored


def certain(classes: Sequence[int] | NDArray[np.int64], width: int, confidence: float = 1.0) -> Probabilities:
    """Probabilities that give `classes` this confidence and share the rest among the others."""
    rest = (1 - confidence) / (width - 1)
    probabilities: Probabilities = (np.eye(width)[np.asarray(classes)] * (confidence - rest) + rest).astype(np.float32)
    return probabilities


def scored(
    truth: Sequence[int] | NDArray[np.int64],
    probabilities: Probabilities,
    *,
    task: Task = "classify",
    labels: tuple[str, ...] | None = None,
    name: str = "tickets/test",
    threshold: float = 0.5,
    slices: Sequence[Mapping[str, str]] | None = None,
    uncalibrated: Probabilities | None = None,
    texts: Sequence[str] | None = None,
) -> Scored:
    """A set of texts with the given truth and probabilities."""
    classes = np.asarray(truth, dtype=np.int64)
    fields = slices or [{}] * len(classes)
    written = texts or [f"text {number}" for number in range(len(classes))]
    examples = [Example(str(n), written[n], "tickets", slices=fields[n]) for n in range(len(classes))]
    before = probabilities if uncalibrated is None else uncalibrated
    names = LABELS[task] if labels is None else labels
    return Scored(task, name, names, examples, classes, probabilities, before, threshold)


def tickets(texts: int, wrong_every: int = 5, confidence: float = 0.9) -> Scored:
    """Tickets of all classes in turn; every so-many-th answer is the class after the right one."""
    truth = np.arange(texts) % 4
    answers = np.where(np.arange(texts) % wrong_every == 0, (truth + 1) % 4, truth)
    slices = [{"hard": "hard" if number % 2 else "plain", "language": "zh"} for number in range(texts)]
    return scored(truth, certain(answers, 4, confidence), slices=slices)


def reviews(truth: Sequence[Mapping[str, int]], answers: Sequence[Mapping[str, int]], **settings: float) -> Scored:
    """Reviews by aspect: class of each aspect that is spoken of, and of each that is answered."""

    def table(rows: Sequence[Mapping[str, int]]) -> NDArray[np.int64]:
        return np.array([[row.get(aspect, 0) for aspect in ASPECTS] for row in rows], dtype=np.int64)

    given = certain(table(answers), 4, settings.get("confidence", 0.9))
    return scored(table(truth), given, task="aspects", name="reviews/test", threshold=settings.get("threshold", 0.5))
