"""One labelled text."""

from dataclasses import dataclass, field
from typing import Literal

Task = Literal["sentiment", "classify"]
Split = Literal["train", "validation", "test"]

LABELS: dict[Task, tuple[str, ...]] = {
    "sentiment": ("negative", "neutral", "positive"),
    "classify": ("fault", "feature_request", "question", "other"),
}


@dataclass(frozen=True)
class Example:
    """A text with its label for one task; `slices` are the fields that results are broken down by."""

    id: str
    text: str
    task: Task
    label: str
    source: str
    slices: dict[str, str] = field(default_factory=dict)
