"""Columns over keys: texts as numbers of a vocabulary, so that a condition is one comparison of a whole array.

A column of 1,000,000 keys takes 4 bytes a key, its tags 12 bytes a key and 8 a tag, however many different values
there are; comparing it takes a fraction of a millisecond.
"""

from collections.abc import Callable, Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.growing import grown
from nlp_service.knowledge.keys import Mask

Codes = NDArray[np.int32]
NONE = -1
FEW = 8


class Vocabulary:
    """Different texts, each with a code 0, 1, 2 …; `form` is what they are compared by (their lower case …)."""

    def __init__(self, form: Callable[[str], str] = str, values: Iterable[str] = ()) -> None:
        self.form = form
        self.values: list[str] = []
        self._codes: dict[str, list[int]] = {}
        for value in values:
            self.add(value)

    def add(self, value: str) -> int:
        """The code of `value`, a new one if need be."""
        known = self._codes.setdefault(self.form(value), [])
        for code in known:
            if self.values[code] == value:
                return code
        known.append(len(self.values))
        self.values.append(value)
        return known[-1]

    def codes(self, values: Iterable[str]) -> list[int]:
        """The codes of all texts that compare equal to one of `values`."""
        return [code for form in {self.form(value) for value in values} for code in self._codes.get(form, ())]

    def packed(self, codes: Codes) -> tuple["Vocabulary", Codes]:
        """The texts that `codes` use (NONE uses none), and `codes` in the new numbers."""
        used = np.unique(codes[codes >= 0])
        renumbered = np.where(codes >= 0, np.searchsorted(used, codes), NONE).astype(np.int32)
        return Vocabulary(self.form, (self.values[code] for code in used)), renumbered


class TextColumn:
    """A text or none for each key; what stood at removed keys is forgotten by `pack`."""

    def __init__(self, vocabulary: Vocabulary, codes: Codes | None = None) -> None:
        self.vocabulary = vocabulary
        self.codes = np.zeros(0, np.int32) if codes is None else _checked(codes, vocabulary, smallest=NONE)

    def put(self, key: int, value: str | None) -> None:
        self.codes = grown(self.codes, key + 1, NONE)
        self.codes[key] = NONE if value is None else self.vocabulary.add(value)

    def value(self, key: int) -> str | None:
        return None if self.codes[key] == NONE else self.vocabulary.values[self.codes[key]]

    def among(self, values: Collection[str], size: int) -> Mask:
        """Which of the first `size` keys hold one of `values`; removed keys may still count."""
        return _among(self.codes[:size], self.vocabulary, values)

    def pack(self, present: Mask) -> None:
        """Keep the keys that are `present`, and of the vocabulary what they use."""
        codes = np.where(present, self.codes[: len(present)], NONE).astype(np.int32)
        self.vocabulary, self.codes = self.vocabulary.packed(codes)


class TagColumn:
    """Any number of texts for each key: one list of all (tag, key) pairs, those of a key side by side."""

    def __init__(self, vocabulary: Vocabulary, codes: Codes, keys: Codes, size: int) -> None:
        """`codes` and `keys` are the pairs; the keys are under `size`. Raises IndexDamaged when they do not fit."""
        self.vocabulary = vocabulary
        self._codes, self._keys = _checked(codes, vocabulary, smallest=0), keys
        if keys.dtype != np.int32 or keys.shape != codes.shape or np.any((keys < 0) | (keys >= size)):
            raise IndexDamaged("索引中的标签与记录不符 · the tags of the index do not fit its records")
        firsts = np.flatnonzero(np.diff(keys, prepend=NONE))
        owners = keys[firsts]
        if len(np.unique(owners)) != len(owners):
            raise IndexDamaged("索引中的标签与记录不符 · the tags of the index do not fit its records")
        self._starts, self._counts = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self._starts[owners] = firsts
        self._counts[owners] = np.diff(firsts, append=len(keys))
        self._used = len(keys)

    def put(self, key: int, values: Collection[str]) -> None:
        """Replace the tags of a key."""
        self.clear(key)
        start, end = self._used, self._used + len(values)
        self._codes, self._keys = grown(self._codes, end, 0), grown(self._keys, end, NONE)
        self._codes[start:end] = [self.vocabulary.add(value) for value in values]
        self._keys[start:end] = key
        self._starts, self._counts = grown(self._starts, key + 1, 0), grown(self._counts, key + 1, 0)
        self._starts[key], self._counts[key] = start, len(values)
        self._used = end

    def clear(self, key: int) -> None:
        """Take the tags of a key away; their place is given back by `packed`."""
        if key < len(self._starts):
            self._keys[self._starts[key] : self._starts[key] + self._counts[key]] = NONE
            self._counts[key] = 0

    def value(self, key: int) -> frozenset[str]:
        start = self._starts[key]
        return frozenset(self.vocabulary.values[code] for code in self._codes[start : start + self._counts[key]])

    def among(self, values: Collection[str], size: int) -> Mask:
        """Which of the first `size` keys hold any of `values`."""
        found = self._keys[np.flatnonzero(_among(self._codes[: self._used], self.vocabulary, values))]
        mask = np.zeros(size, bool)
        mask[found[found >= 0]] = True
        return mask

    def pairs(self) -> tuple[Codes, Codes]:
        """The (tag, key) pairs that are in use."""
        alive = self._keys[: self._used] >= 0
        return self._codes[: self._used][alive], self._keys[: self._used][alive]

    def packed(self, size: int) -> "TagColumn":
        """The same tags without what was cleared."""
        codes, keys = self.pairs()
        vocabulary, renumbered = self.vocabulary.packed(codes)
        return TagColumn(vocabulary, renumbered, keys, size)


def _among(codes: Codes, vocabulary: Vocabulary, values: Collection[str]) -> Mask:
    wanted = vocabulary.codes(values)
    if len(wanted) > FEW:
        table = np.zeros(len(vocabulary.values) + 1, bool)
        table[wanted] = True
        return table[codes]
    mask: Mask = codes == wanted[0] if wanted else np.zeros(len(codes), bool)
    for code in wanted[1:]:
        mask |= codes == code
    return mask


def _checked(codes: Codes, vocabulary: Vocabulary, *, smallest: int) -> Codes:
    within = (
        codes.dtype == np.int32 and codes.ndim == 1 and np.all((codes >= smallest) & (codes < len(vocabulary.values)))
    )
    if not within:
        raise IndexDamaged("索引中的属性值有误 · the values of a facet do not fit its vocabulary")
    return codes
