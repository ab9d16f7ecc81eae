"""A candidate and what serves, on the same frozen test texts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nlp_service.inference.aspects import aspect_classes
from nlp_service.inference.release import Parts
from training.data.example import Example, Task
from training.metrics import (
    BOOTSTRAP_SAMPLES,
    Classes,
    Figure,
    Probabilities,
    expected_calibration_error,
    slice_rows,
)
from training.registry.errors import RegistryError

COMPARISON_FILE = "comparison.json"
MIN_SLICE = 30
MAX_PRODUCTS = 30
"""With more products than this, each has too few texts to be judged by."""
_CHUNK = 100
Counts = NDArray[np.float32]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SliceComparison(_Strict):
    """Both models on the texts of one slice; `difference` is candidate minus champion, paired like that of the task."""

    texts: int = Field(ge=1)
    candidate: float
    champion: float | None
    difference: Figure | None


class TaskComparison(_Strict):
    """Both models on one task. What is said of the champion is None when it answers with other labels."""

    metric: str
    """What the figures are, such as macro-F1 or micro-F1; 0 to 1, more is better."""
    labels: tuple[str, ...]
    champion_labels: tuple[str, ...]
    texts: int = Field(ge=1)
    candidate: float
    champion: float | None
    difference: Figure | None
    """Candidate minus champion, with its paired bootstrap interval."""
    ece: float | None = Field(ge=0, le=1)
    """Expected calibration error of the candidate; None for what gives no probabilities, as a search."""
    slices: dict[str, dict[str, SliceComparison]]
    """Name of a slice to each of its values."""
    slower: float = Field(gt=0)
    """Seconds of the candidate divided by seconds of the champion, for the same texts."""

    @property
    def same_labels(self) -> bool:
        """Whether both answer with the same labels, so that their figures can be compared."""
        return set(self.labels) == set(self.champion_labels)

    @model_validator(mode="after")
    def _has_a_champion(self) -> "TaskComparison":
        if (self.champion is None) == self.same_labels or (self.difference is None) == self.same_labels:
            raise ValueError("champion and difference belong to equal label sets, and to nothing else")
        return self


class Comparison(_Strict):
    """Everything that the gate judges a candidate by."""

    champion: Parts
    """What served when the comparison was made."""
    tasks: dict[str, TaskComparison]
    """By part of the release: a task, or `search`."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model says of the test texts."""

    labels: tuple[str, ...]
    probabilities: Probabilities
    """Calibrated, shape (texts, labels), for `aspects` (texts, aspects, labels)."""
    presence: float = 0.5
    """From which probability on an aspect is spoken of."""

    def classes(self, task: Task, labels: tuple[str, ...]) -> Classes:
        """The answers as indexes into `labels`, the same labels in an order that may differ."""
        probabilities = self.probabilities[..., [self.labels.index(label) for label in labels]]
        if task == "aspects":
            return aspect_classes(probabilities, self.presence)
        likeliest: Classes = probabilities.argmax(axis=-1)
        return likeliest


def compare(
    task: Task,
    examples: Sequence[Example],
    truth: Classes,
    candidate: Answers,
    champion: Answers | None,
    *,
    slower: float,
) -> TaskComparison:
    """Compare what two models answer to `examples`; `champion` is None when nothing served before.

    `truth` holds indexes into the candidate's labels, shape (texts,) or (texts, aspects). The figure is micro-F1 of the
    mentions for `aspects`, macro-F1 for other tasks.
    """
    labels = candidate.labels
    mine = candidate.classes(task, labels)
    same = champion is not None and set(champion.labels) == set(labels)
    theirs = champion.classes(task, labels) if champion is not None and same else None
    return TaskComparison(
        metric="micro-F1" if task == "aspects" else "macro-F1",
        labels=labels,
        champion_labels=champion.labels if champion is not None else (),
        texts=len(examples),
        candidate=f1(task, mine, truth),
        champion=None if theirs is None else f1(task, theirs, truth),
        difference=None if theirs is None else paired_difference(task, mine, theirs, truth),
        ece=expected_calibration_error(candidate.probabilities.reshape(-1, len(labels)), truth.reshape(-1)),
        slices=_slices(task, examples, truth, mine, theirs),
        slower=slower,
    )


def paired_difference(task: Task, candidate: Classes, champion: Classes, truth: Classes, *, seed: int = 0) -> Figure:
    """Figure of the candidate's answers minus that of the champion's, with its 95 % interval over resampled texts.

    Each of the 1,000 samples draws the same texts for both (Efron & Tibshirani 1993, ch. 16), so what is hard for both
    does not widen the interval.
    """
    texts = len(truth)
    both = [_counts(task, answers, truth) for answers in (candidate, champion)]
    generator = np.random.default_rng(seed)
    differences: list[NDArray[np.float64]] = []
    for start in range(0, BOOTSTRAP_SAMPLES, _CHUNK):
        size = min(_CHUNK, BOOTSTRAP_SAMPLES - start)
        drawn = generator.integers(0, texts, (size, texts)) + np.arange(size)[:, None] * texts
        times = np.bincount(drawn.ravel(), minlength=size * texts).reshape(size, texts).astype(np.float32)
        mine, theirs = (_f1(np.tensordot(times, counts, axes=1)) for counts in both)
        differences.append(mine - theirs)
    low, high = np.percentile(np.concatenate(differences), [2.5, 97.5])
    value = f1(task, candidate, truth) - f1(task, champion, truth)
    return Figure(value, float(low), float(high))


def f1(task: Task, answers: Classes, truth: Classes) -> float:
    """Macro-F1 of the classes that occur, for `aspects` micro-F1 of the mentions."""
    return float(_f1(_counts(task, answers, truth).sum(axis=0, keepdims=True))[0])


def _counts(task: Task, answers: Classes, truth: Classes) -> Counts:
    """What each text adds to right, true and answered of each class, shape (texts, 3, classes).

    The mentions of `aspects` count as one class.
    """
    if task == "aspects":
        right, true, answered = ((answers == truth) & (truth > 0)), truth > 0, answers > 0
        return np.stack([part.sum(axis=1, keepdims=True) for part in (right, true, answered)], axis=1).astype(
            np.float32
        )
    classes = np.arange(max(int(answers.max()), int(truth.max())) + 1)
    true, answered = truth[:, None] == classes, answers[:, None] == classes
    return np.stack([true & answered, true, answered], axis=1).astype(np.float32)


def _f1(counts: Counts) -> NDArray[np.float64]:
    """Mean F1 over the classes that occur, shape (samples,), of counts of the shape (samples, 3, classes)."""
    right, true, answered = (counts[:, part].astype(np.float64) for part in range(3))
    of_class = 2 * right / np.maximum(true + answered, 1)
    mean: NDArray[np.float64] = (of_class * (true > 0)).sum(axis=1) / np.maximum((true > 0).sum(axis=1), 1)
    return mean


def _slices(
    task: Task, examples: Sequence[Example], truth: Classes, candidate: Classes, champion: Classes | None
) -> dict[str, dict[str, SliceComparison]]:
    slices: dict[str, dict[str, SliceComparison]] = {}
    for name in sorted({key for example in examples for key in example.slices}):
        rows_by_value = slice_rows([example.slices.get(name, "") for example in examples])
        rows_by_value.pop("", None)
        if name == "product" and len(rows_by_value) > MAX_PRODUCTS:
            continue
        slices[name] = {
            value: _slice(task, truth[rows], candidate[rows], None if champion is None else champion[rows])
            for value, rows in rows_by_value.items()
            if len(rows) >= MIN_SLICE
        }
    return slices


def _slice(task: Task, truth: Classes, candidate: Classes, champion: Classes | None) -> SliceComparison:
    return SliceComparison(
        texts=len(truth),
        candidate=f1(task, candidate, truth),
        champion=None if champion is None else f1(task, champion, truth),
        difference=None if champion is None else paired_difference(task, candidate, champion, truth),
    )


def read_comparison(file: Path) -> Comparison:
    """Raises RegistryError when the file is missing or broken."""
    try:
        return Comparison.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise RegistryError(f"{file}: 文件缺失,请先评估 · missing, run evaluate first") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise RegistryError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def write_comparison(file: Path, comparison: Comparison) -> None:
    """Replace the file in one step."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(file)
