"""How evenly the labels are spread over classes and splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.audit.entry import QUESTIONS, Counts, Entry, count, count_by
from training.data.example import ABSENT, Split
from training.data.split import SPLITS

RARE = 20
"""Training texts below which a class counts as rare."""


@dataclass(frozen=True)
class Balance:
    """The classes of a question.

    `ratio` is the smallest class over the largest, 0…1, in the training texts, without the class `absent` of an aspect;
    None when nothing is trained on. `missing` names the classes that a held-out split with texts does not have.
    """

    question: str
    classes: Mapping[str, Counts]
    ratio: float | None
    rare: tuple[str, ...]
    missing: Mapping[Split, tuple[str, ...]]

    @property
    def present(self) -> tuple[str, ...]:
        """The classes that have texts in any split."""
        return tuple(label for label, texts in self.classes.items() if any(texts.values()))


def balances(entries: Sequence[Entry]) -> tuple[Balance, ...]:
    """The balance of each question that any text answers."""
    texts = count(entries)
    found = []
    for question in QUESTIONS:
        counted = count_by(entries, question.answer)
        if not counted:
            continue
        nothing = dict.fromkeys(SPLITS, 0)
        classes = {label: counted.get(label, nothing) for label in question.classes(entries)}
        train = {label: of_class["train"] for label, of_class in classes.items()}
        held_out = [split for split in SPLITS if split != "train" and texts[split]]
        found.append(
            Balance(
                question=question.name,
                classes=classes,
                ratio=_ratio([number for label, number in train.items() if label != ABSENT]),
                rare=tuple(label for label, number in train.items() if number < RARE) if any(train.values()) else (),
                missing={split: tuple(label for label in classes if not classes[label][split]) for split in held_out},
            )
        )
    return tuple(found)


def _ratio(sizes: Sequence[int]) -> float | None:
    return min(sizes) / max(sizes) if any(sizes) else None
