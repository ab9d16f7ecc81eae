"""One labelled text."""

from dataclasses import dataclass, field
from typing import Literal

from nlp_service.inference.bundle import Task
from nlp_service.inference.head import LABELS

__all__ = ["LABELS", "Example", "Split", "Task"]

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Example:
    """A text with its label for one task; `slices` are the fields that results are broken down by."""

    id: str
    text: str
    task: Task
    label: str
    source: str
    slices: dict[str, str] = field(default_factory=dict)
