"""Labelled texts with the probabilities that a head gave them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.aspects import aspect_classes
from training.data.example import ABSENT, ASPECTS, Example, Task

Probabilities = NDArray[np.float32]
Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scored:
    """One test set of a task.

    `truth` holds class indexes, shape (texts,), for `aspects` (texts, aspects); `probabilities` (calibrated) and
    `uncalibrated` (temperature 1) have the shape (texts, labels), for `aspects` (texts, aspects, labels) with `absent`
    as the first label. Answers whose confidence is below `threshold` are passed to a person. An aspect is spoken of
    when the probability that it is not absent reaches `presence_threshold`.

    Raises ValueError when there is no text, or when the parts do not fit together.
    """

    task: Task
    name: str
    labels: tuple[str, ...]
    examples: Sequence[Example]
    truth: Classes
    probabilities: Probabilities
    uncalibrated: Probabilities
    threshold: float
    presence_threshold: float = 0.5

    def __post_init__(self) -> None:
        texts = len(self.examples)
        shape = (texts, len(ASPECTS)) if self.task == "aspects" else (texts,)
        if not texts:
            raise ValueError(f"{self.key}: no texts")
        if self.truth.shape != shape:
            raise ValueError(f"{self.key}: truth has shape {self.truth.shape}, needs {shape}")
        for probabilities in (self.probabilities, self.uncalibrated):
            if probabilities.shape != (*shape, len(self.labels)):
                raise ValueError(f"{self.key}: {probabilities.shape} probabilities for {(*shape, len(self.labels))}")
        if self.truth.min() < 0 or self.truth.max() >= len(self.labels):
            raise ValueError(f"{self.key}: truth holds a class outside the {len(self.labels)} labels")
        if self.task == "aspects" and self.labels[0] != ABSENT:
            raise ValueError(f"{self.key}: the first label is {self.labels[0]!r}, not {ABSENT!r}")

    @property
    def key(self) -> str:
        """Task and name, such as ``classify/tickets/test``: one set is often scored for several tasks."""
        return f"{self.task}/{self.name}"

    @property
    def measure(self) -> str:
        """Name of the figure that tells most: ``macro_f1``, for `aspects` ``micro_f1``."""
        return "micro_f1" if self.task == "aspects" else "macro_f1"

    @property
    def answers(self) -> Classes:
        """Class indexes of the answers, of the shape of `truth`."""
        return self.answers_of(self.probabilities)

    def answers_of(self, probabilities: Probabilities) -> Classes:
        """The answers that other probabilities for such texts amount to."""
        if self.task != "aspects":
            likeliest: Classes = probabilities.argmax(axis=-1)
            return likeliest
        return aspect_classes(probabilities, self.presence_threshold)
