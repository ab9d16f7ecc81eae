"""Terms with their postings in a few flat arrays: nothing to parse, so files are used where they lie.

The terms stand in the order of their UTF-8 bytes and are found by bisection. Opened from files the arrays are mapped
into memory, read-only: start-up reads next to nothing and the processes of one machine share the pages.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.growing import Number

Slots = NDArray[np.int32]
Frequencies = NDArray[np.float32]
PREFIX = 8
"""Bytes that are compared as one number."""


@dataclass(frozen=True)
class PackedPostings:
    """Term i is `text[text_ends[i]:text_ends[i + 1]]`; its postings are ends[i]:ends[i + 1] of both other arrays."""

    text: NDArray[np.uint8]
    text_ends: NDArray[np.int64]
    ends: NDArray[np.int64]
    slots: Slots
    frequencies: Frequencies

    def of(self, term: str) -> tuple[Slots, Frequencies]:
        """The documents that hold `term`, ascending, and how often each does; empty for an unknown term."""
        wanted = _bytes(term)
        beginning = np.frombuffer(wanted[:PREFIX].ljust(PREFIX, b"\0"), ">u8")
        first, last = (
            self._prefixes.searchsorted(beginning, "left")[0],
            self._prefixes.searchsorted(beginning, "right")[0],
        )
        place = bisect_left(range(last), wanted, lo=first, key=self._term)
        if place == last or self._term(place) != wanted:
            return self.slots[:0], self.frequencies[:0]
        start, end = self.ends[place], self.ends[place + 1]
        return self.slots[start:end], self.frequencies[start:end]

    def merged(self, later: "PackedPostings", new_slots: Slots) -> "PackedPostings":
        """The postings in here and, behind those of each term, the `later` ones.

        `new_slots` says for each slot what it becomes; postings of slots that become negative are dropped, and so are
        the terms that have no others.
        """
        mine, theirs = self._terms(), later._terms()
        terms = list(dict.fromkeys(sorted(mine + theirs)))
        place = {term: number for number, term in enumerate(terms)}
        counts = np.zeros((len(terms), 2), np.int64)
        counts[np.fromiter(map(place.__getitem__, mine), np.intp, len(mine)), 0] = np.diff(self.ends)
        counts[np.fromiter(map(place.__getitem__, theirs), np.intp, len(theirs)), 1] = np.diff(later.ends)
        is_later = np.repeat(np.tile([False, True], len(terms)), counts.ravel())
        slots = new_slots[_mixed(self.slots, later.slots, is_later)]
        alive = slots >= 0
        ends = _running(alive)[_running(counts.sum(axis=1))]
        used = np.diff(ends) > 0
        return _packed(
            [term for term, keep in zip(terms, used.tolist(), strict=True) if keep],
            np.concatenate([ends[:1], ends[1:][used]]),
            slots[alive],
            _mixed(self.frequencies, later.frequencies, is_later)[alive],
        )

    def save(self, folder: Path) -> None:
        """Write the arrays into `folder`."""
        for name, values in self._arrays():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path, documents: int) -> "PackedPostings":
        """The arrays of `folder`, mapped; IndexDamaged when they do not fit together or to so many `documents`."""
        try:
            arrays = {
                field.name: np.load(folder / f"{field.name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
                for field in fields(cls)
            }
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamaged("词项索引文件无法读取 · a file of the lexical index cannot be read") from error
        opened = cls(**arrays)
        if not opened._fits(documents):
            raise IndexDamaged("词项索引文件互不匹配 · the files of the lexical index do not fit together")
        return opened

    def _arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))

    def _fits(self, documents: int) -> bool:
        expected = dict(EMPTY._arrays())
        return (
            all(values.dtype == expected[name].dtype and values.ndim == 1 for name, values in self._arrays())
            and len(self.ends) == len(self.text_ends)
            and len(self.slots) == len(self.frequencies)
            and _are_ends(self.text_ends, len(self.text))
            and _are_ends(self.ends, len(self.slots))
            and (not len(self.slots) or (int(self.slots.min()) >= 0 and int(self.slots.max()) < documents))
        )

    @cached_property
    def _prefixes(self) -> NDArray[np.uint64]:
        """The first bytes of each term as a number, so that most of the bisection compares numbers."""
        starts, lengths = self.text_ends[:-1], np.diff(self.text_ends)
        prefixes = np.zeros((len(starts), PREFIX), np.uint8)
        for place in range(PREFIX):
            longer = lengths > place
            prefixes[longer, place] = self.text[starts[longer] + place]
        return prefixes.view(">u8").ravel().astype(np.uint64)

    def _terms(self) -> list[bytes]:
        text, ends = self.text.tobytes(), self.text_ends.tolist()
        return [text[start:end] for start, end in pairwise(ends)]

    def _term(self, place: int) -> bytes:
        return self.text[self.text_ends[place] : self.text_ends[place + 1]].tobytes()


def packed(recent: "Mapping[str, array[int]]") -> PackedPostings:
    """The postings of terms whose lists hold slot, frequency, slot, frequency … in turn."""
    ordered = sorted((_bytes(term), postings) for term, postings in recent.items())
    pairs = np.frombuffer(b"".join(postings for _, postings in ordered), np.int32).reshape(-1, 2)
    counts = np.fromiter((len(postings) // 2 for _, postings in ordered), np.int64, len(ordered))
    return _packed([term for term, _ in ordered], _running(counts), pairs[:, 0], pairs[:, 1].astype(np.float32))


def _packed(terms: list[bytes], ends: NDArray[np.int64], slots: Slots, frequencies: Frequencies) -> PackedPostings:
    text = np.frombuffer(b"".join(terms), np.uint8)
    lengths = np.fromiter(map(len, terms), np.int64, len(terms))
    return PackedPostings(text, _running(lengths), ends, slots, frequencies)


def _mixed(mine: NDArray[Number], theirs: NDArray[Number], is_theirs: NDArray[np.bool_]) -> NDArray[Number]:
    mixed = np.empty(len(is_theirs), mine.dtype)
    mixed[~is_theirs], mixed[is_theirs] = mine, theirs
    return mixed


def _running(counts: NDArray[Any]) -> NDArray[np.int64]:
    """The sums of the first 0, 1, 2 … of `counts`."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _are_ends(ends: NDArray[np.int64], size: int) -> bool:
    return len(ends) > 0 and ends[0] == 0 and ends[-1] == size and bool(np.all(np.diff(ends) >= 0))


def _bytes(term: str) -> bytes:
    return term.encode("utf-8", "surrogatepass")


EMPTY = packed({})
