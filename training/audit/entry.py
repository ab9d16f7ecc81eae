"""What is audited: the labelled texts with their splits, and the questions that their labels answer."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.data.example import ABSENT, ASPECTS, LABELS, Example, Split, Task
from training.data.split import SPLITS

Counts = Mapping[Split, int]
"""A number for each split."""


@dataclass(frozen=True)
class Entry:
    """A labelled text and the split that it stands in."""

    split: Split
    example: Example


@dataclass(frozen=True)
class Share:
    """A part of a whole, both counted in texts."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """0…1; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0


@dataclass(frozen=True)
class Question:
    """A choice of one label: a task, or one aspect of the task `aspects` (absent, or spoken of with a polarity)."""

    task: Task
    aspect: str | None = None

    @property
    def name(self) -> str:
        """``sentiment``, or ``aspects/price``."""
        return f"{self.task}/{self.aspect}" if self.aspect else self.task

    def answer(self, example: Example) -> str | None:
        """The label that the text was given; None when nobody labelled it."""
        if not example.has(self.task):
            return None
        return (example.aspects or {}).get(self.aspect, ABSENT) if self.aspect else example.labels[self.task]

    def classes(self, entries: Iterable[Entry]) -> tuple[str, ...]:
        """The task's label set; the labels that occur, in order, when one of them is outside it."""
        found = {answer for entry in entries if (answer := self.answer(entry.example)) is not None}
        return LABELS[self.task] if found <= set(LABELS[self.task]) else tuple(sorted(found))


QUESTIONS: tuple[Question, ...] = (
    *(Question(task) for task in LABELS if task != "aspects"),
    *(Question("aspects", aspect) for aspect in ASPECTS),
)


def entries_of(splits: Mapping[Split, Sequence[Example]]) -> list[Entry]:
    """All texts, in the order of the splits; a split that is not named has none."""
    return [Entry(split, example) for split in SPLITS for example in splits.get(split, ())]


def count(entries: Iterable[Entry]) -> Counts:
    """How many stand in each split."""
    found = Counter(entry.split for entry in entries)
    return {split: found[split] for split in SPLITS}


def count_by(entries: Sequence[Entry], key: Callable[[Example], str | None]) -> dict[str, Counts]:
    """How many of each value of `key` stand in each split, values in order; texts without a value are not counted."""
    values = sorted({value for entry in entries if (value := key(entry.example)) is not None})
    found = Counter((key(entry.example), entry.split) for entry in entries)
    return {value: {split: found[value, split] for split in SPLITS} for value in values}
