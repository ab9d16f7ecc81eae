"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, arXiv:1911.00068).

A classifier that never saw a text says how probable its label is; cleanlab estimates from all of these how many labels
of each class are wrong, and which.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from training.audit.entry import QUESTIONS, Entry, Question, Share
from training.audit.out_of_fold import MIN_FOLDS, Classes, out_of_fold, representatives, stratified_folds
from training.audit.schema import is_readable

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

MIN_TEXTS = 20
MIN_ASPECT_CLASS = 10
"""Texts that each of the four classes of an aspect needs; most aspects are rarely spoken of."""


@dataclass(frozen=True)
class Suspect:
    """A text whose label is probably wrong; `self_confidence` is the probability of the given label, 0…1."""

    entry: Entry
    given: str
    suggested: str
    self_confidence: float


@dataclass(frozen=True)
class LabelIssues:
    """What was found for one question.

    `skipped` says why the question was not checked, None when it was. `left_out` names classes of too few texts;
    `classes` gives the suspected share of each of the others. `accuracy`, 0…1, is that of the classifier by the given
    labels: where it is low, many suspects are merely hard. `suspects` stand in order, least probable label first.
    """

    question: str
    skipped: str | None = None
    folds: int = 0
    accuracy: float = 0.0
    left_out: tuple[str, ...] = ()
    classes: Mapping[str, Share] = field(default_factory=dict)
    suspects: tuple[Suspect, ...] = ()

    @property
    def share(self) -> Share:
        """Suspected texts among all that were checked."""
        return Share(len(self.suspects), sum(share.whole for share in self.classes.values()))


def label_issues(
    entries: Sequence[Entry], groups: Sequence[int], encode: Encode, *, seed: int
) -> tuple[LabelIssues, ...]:
    """Check each question that any readable text answers.

    `groups` numbers each entry's group of near-duplicates, which is never divided between folds. `encode` is called
    once, with the readable texts that are labelled at all, and not when these are fewer than `MIN_TEXTS`. Raises
    ValueError when it does not return a vector for each.
    """
    labelled = [
        index
        for index, entry in enumerate(entries)
        if is_readable(entry.example.text) and any(question.answer(entry.example) for question in QUESTIONS)
    ]
    part = [entries[index] for index in labelled]
    part_groups = np.array([groups[index] for index in labelled], dtype=np.int64)
    vectors = _vectors([entry.example.text for entry in part], encode)
    return tuple(
        _check(question, part, part_groups, vectors, seed)
        for question in QUESTIONS
        if any(question.answer(entry.example) is not None for entry in part)
    )


def _vectors(texts: Sequence[str], encode: Encode) -> NDArray[np.float64]:
    if len(texts) < MIN_TEXTS:
        return np.empty((len(texts), 0))
    vectors = np.asarray(encode(texts), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"encode: {len(texts)} texts gave an array of shape {vectors.shape}")
    return vectors


def _check(
    question: Question, entries: Sequence[Entry], groups: Classes, vectors: NDArray[np.float64], seed: int
) -> LabelIssues:
    answers = [question.answer(entry.example) for entry in entries]
    sizes = _sizes(answers, groups, question.classes(entries))
    kept = [label for label, size in sizes.items() if size >= MIN_FOLDS]
    rows = np.array([row for row, answer in enumerate(answers) if answer in kept], dtype=np.int64)
    if reason := _reason_to_skip(question, sizes, kept, len(rows)):
        return LabelIssues(question.name, skipped=reason)
    given = np.array([kept.index(answer) for answer in answers if answer in kept], dtype=np.int64)
    folds = stratified_folds(given, groups[rows], seed=seed)
    probabilities = out_of_fold(vectors[rows], given, folds)
    ranked = find_label_issues(given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    found = np.asarray(ranked, dtype=np.int64)
    return LabelIssues(
        question.name,
        folds=len(folds),
        accuracy=float((probabilities.argmax(axis=1) == given).mean()),
        left_out=tuple(label for label in sizes if label in answers and label not in kept),
        classes={
            label: Share(int((given[found] == number).sum()), int((given == number).sum()))
            for number, label in enumerate(kept)
        },
        suspects=tuple(
            Suspect(
                entry=entries[rows[place]],
                given=kept[given[place]],
                suggested=kept[probabilities[place].argmax()],
                self_confidence=float(probabilities[place, given[place]]),
            )
            for place in found
        ),
    )


def _sizes(answers: Sequence[str | None], groups: Classes, labels: Sequence[str]) -> dict[str, int]:
    """Texts of each label, those of a group of near-duplicates counted once, as the first of them is labelled."""
    answered = np.array([row for row, answer in enumerate(answers) if answer is not None], dtype=np.int64)
    counts = Counter(answers[row] for row in answered[representatives(groups[answered])])
    return {label: counts[label] for label in labels}


def _reason_to_skip(question: Question, sizes: Mapping[str, int], kept: Sequence[str], texts: int) -> str | None:
    if len(kept) < 2:
        return "类别不足两个 · fewer than two classes with enough texts"
    if texts < MIN_TEXTS:
        return f"文本不足 {MIN_TEXTS} 条 · fewer than {MIN_TEXTS} texts: {texts}"
    small = [f"{label} {size}" for label, size in sizes.items() if size < MIN_ASPECT_CLASS]
    if question.aspect and small:
        return f"类别少于 {MIN_ASPECT_CLASS} 条 · classes of fewer than {MIN_ASPECT_CLASS} texts: {', '.join(small)}"
    return None
