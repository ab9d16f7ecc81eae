"""Counts what the models answer: labels, their confidence, and how often a person should review."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from nlp_service.inference.aspects import AspectOpinion
from nlp_service.inference.bundle import Task
from nlp_service.observability.metrics import ANSWERS, CONFIDENCE

MAX_LABELS = 64
"""Labels of a task that are told apart; a model of many labels must not make as many time series."""
OTHER = "(other)"


class Answer(Protocol):
    """What a head says of one text."""

    @property
    def label(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def needs_review(self) -> bool: ...


class AnswerCounts:
    """Of one process. May be used by several threads."""

    def __init__(self, max_labels: int = MAX_LABELS) -> None:
        self._max_labels = max_labels
        self._labels: dict[str, set[str]] = {}

    def count(self, task: Task, answers: Iterable[Answer]) -> None:
        """Count the answers of a task."""
        for answer in answers:
            self._count(task, answer.label, answer.confidence, "true" if answer.needs_review else "false")

    def count_aspects(self, opinions: Iterable[Sequence[AspectOpinion]]) -> None:
        """Count what texts speak of, each as `aspect:label`; nobody is asked to review an aspect."""
        for of_text in opinions:
            for opinion in of_text:
                self._count("aspects", f"{opinion.aspect}:{opinion.label}", opinion.confidence, "false")

    def _count(self, task: Task, label: str, confidence: float, review: str) -> None:
        known = self._labels.setdefault(task, set())
        if label not in known:
            if len(known) >= self._max_labels:
                label = OTHER
            else:
                known.add(label)
        ANSWERS.labels(task, label, review).inc()
        CONFIDENCE.labels(task, label).observe(confidence)


ANSWER_COUNTS = AnswerCounts()
