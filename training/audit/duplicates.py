"""Texts that stand in the data more than once, or nearly so, and those of them that were labelled differently."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.audit.entry import QUESTIONS, Entry, Question
from training.data.duplicates import grams, jaccard, near_duplicate_pairs

NEAR = 0.5


@dataclass(frozen=True)
class Duplicate:
    """Texts that are equal (`similarity` 1), or two that are similar: their 5-gram Jaccard similarity, above 0.5.

    Equal means after NFKC, case folding and dropping white space; similar texts are not equal in this sense.
    """

    entries: tuple[Entry, ...]
    exact: bool
    similarity: float

    @property
    def leaks(self) -> bool:
        """Whether the texts stand in different splits."""
        return len({entry.split for entry in self.entries}) > 1


@dataclass(frozen=True)
class Conflict:
    """Equal or similar texts with different labels; `entries` holds one text for each of the `labels`."""

    question: str
    entries: tuple[Entry, ...]
    labels: tuple[str, ...]
    exact: bool


@dataclass(frozen=True)
class Duplicates:
    """Duplicates by their first text; `groups` numbers each text's group, shared also by way of a third text."""

    duplicates: tuple[Duplicate, ...]
    conflicts: tuple[Conflict, ...]
    groups: tuple[int, ...]


def find_duplicates(entries: Sequence[Entry]) -> Duplicates:
    """Duplicates within splits and across them. Blank texts are duplicates of nothing."""
    keys = [normalised(entry.example.text) for entry in entries]
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        if key:
            by_key[key].append(index)
    copies = [members for members in by_key.values() if len(members) > 1]
    near = [(left, right) for left, right in _near_pairs(entries, keys) if keys[left] != keys[right]]
    found = [Duplicate(tuple(entries[index] for index in members), True, 1.0) for members in copies]
    found += [_near(entries[left], entries[right]) for left, right in near]
    edges = [(members[0], other) for members in copies for other in members[1:]] + near
    return Duplicates(tuple(found), tuple(_conflicts(found)), _groups(edges, len(entries)))


def normalised(text: str) -> str:
    """NFKC, case folded, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _near_pairs(entries: Sequence[Entry], keys: Sequence[str]) -> list[tuple[int, int]]:
    rows = [index for index, key in enumerate(keys) if key]
    pairs = near_duplicate_pairs([entries[index].example.text for index in rows], NEAR)
    return [(rows[left], rows[right]) for left, right in pairs]


def _near(left: Entry, right: Entry) -> Duplicate:
    return Duplicate((left, right), False, jaccard(grams(left.example.text), grams(right.example.text)))


def _conflicts(duplicates: Sequence[Duplicate]) -> list[Conflict]:
    return [
        Conflict(question.name, tuple(first.values()), tuple(first), duplicate.exact)
        for question in QUESTIONS
        for duplicate in duplicates
        if len(first := _first_of_each_label(question, duplicate.entries)) > 1
    ]


def _first_of_each_label(question: Question, entries: Sequence[Entry]) -> dict[str, Entry]:
    first: dict[str, Entry] = {}
    for entry in entries:
        if (answer := question.answer(entry.example)) is not None:
            first.setdefault(answer, entry)
    return first


def _groups(edges: Sequence[tuple[int, int]], size: int) -> tuple[int, ...]:
    if not size:
        return ()
    rows, columns = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    return tuple(connected_components(graph, directed=False)[1].tolist())
