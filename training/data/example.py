"""One labelled text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nlp_service.inference.aspects import ABSENT
from nlp_service.inference.bundle import Task
from nlp_service.inference.head import ASPECTS, LABELS, OUTPUTS

__all__ = ["ABSENT", "ASPECTS", "LABELS", "OUTPUTS", "UNKNOWN", "Example", "Split", "Task", "targets"]

Split = Literal["train", "validation", "test"]
UNKNOWN = -100
"""Class index of an answer that nobody labelled; the losses of torch ignore it."""


@dataclass(frozen=True)
class Example:
    """A text with what is known of it.

    `labels` holds the tasks of one label a text; `aspects` the polarity of each aspect that the text speaks of, or None
    when the text was not labelled by aspect. `slices` are the fields that results are broken down by; a split by
    group never spreads texts of one `group`; `time` (ISO 8601) orders a split by time.
    """

    id: str
    text: str
    source: str
    labels: Mapping[Task, str] = field(default_factory=dict)
    aspects: Mapping[str, str] | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    time: str | None = None

    def has(self, task: Task) -> bool:
        """Whether the text is labelled for `task`."""
        return self.aspects is not None if task == "aspects" else task in self.labels


def targets(example: Example, task: Task, label_set: tuple[str, ...] | None = None) -> list[int]:
    """Class indexes of the example's answers, as many as the task has outputs; `UNKNOWN` where nobody labelled.

    `label_set` replaces the task's own label set. Raises ValueError for a label outside it.
    """
    names = label_set or LABELS[task]
    if not example.has(task):
        return [UNKNOWN] * OUTPUTS[task]
    if task == "aspects":
        known = example.aspects or {}
        return [names.index(known.get(aspect, ABSENT)) for aspect in ASPECTS]
    return [names.index(example.labels[task])]
