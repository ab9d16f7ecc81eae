"""BM25 over terms, updated document by document.

Lucene's variant (Kamphuis et al. 2020): idf = ln(1 + (N − df + ½)/(df + ½)), weight tf / (tf + k1·(1 − b + b·L/avgL)).
Each term has a list of (slot, frequency); a removed document leaves its slot dead until enough of them are compacted.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75
COMPACT_FROM = 1024


@dataclass
class _Postings:
    slots: "array[int]" = field(default_factory=lambda: array("i"))
    frequencies: "array[float]" = field(default_factory=lambda: array("f"))
    alive: int = 0
    """Documents that hold the term and are not removed."""


class LexicalIndex:
    """Ids with their terms. Not safe for use by several threads at once."""

    def __init__(self) -> None:
        self._clear()

    def __len__(self) -> int:
        return len(self._slot_of)

    def put(self, key: int, terms: Sequence[str]) -> None:
        """Add a document; an id that is already there is replaced."""
        self.remove([key])
        counts = Counter(terms)
        self._append(key, counts.keys(), np.fromiter(counts.values(), np.float32, len(counts)), float(len(terms)))

    def remove(self, keys: Iterable[int]) -> None:
        """Take documents out; unknown ids are ignored."""
        for key in keys:
            slot = self._slot_of.pop(key, None)
            if slot is None:
                continue
            self._ids[slot] = -1
            self._total_length -= self._lengths[slot]
            for term in self._terms[slot]:
                self._postings[term].alive -= 1
            self._terms[slot] = ()
        if len(self._ids) > COMPACT_FROM and len(self._slot_of) * 2 < len(self._ids):
            self._compact()

    def search(self, terms: Iterable[str], k: int, allowed: Collection[int] | None = None) -> list[tuple[int, float]]:
        """The `k` best (id, BM25 score > 0), the best first, among `allowed` ids when given."""
        scores = self._scores(set(terms))
        if allowed is not None:
            permitted = np.zeros(len(scores), dtype=bool)
            permitted[[self._slot_of[key] for key in allowed if key in self._slot_of]] = True
            scores[~permitted] = 0.0
        found = np.flatnonzero(scores > 0)
        if len(found) > k:
            found = found[np.argpartition(-scores[found], k - 1)[:k]]
        ranked = sorted(((self._ids[slot], float(scores[slot])) for slot in found), key=lambda hit: (-hit[1], hit[0]))
        return ranked[:k]

    def _scores(self, terms: set[str]) -> NDArray[np.float32]:
        scores = np.zeros(len(self._ids), dtype=np.float32)
        documents = len(self._slot_of)
        if not documents:
            return scores
        lengths = np.frombuffer(self._lengths, dtype=np.float32)
        average = max(self._total_length / documents, 1e-9)
        for term in terms:
            postings = self._postings.get(term)
            if postings is None or postings.alive == 0:
                continue
            slots = np.frombuffer(postings.slots, dtype=np.int32)
            frequencies = np.frombuffer(postings.frequencies, dtype=np.float32)
            idf = np.log1p((documents - postings.alive + 0.5) / (postings.alive + 0.5))
            scores[slots] += idf * frequencies / (frequencies + K1 * (1 - B + B * lengths[slots] / average))
        scores[np.frombuffer(self._ids, dtype=np.int64) < 0] = 0.0
        return scores

    def _append(self, key: int, terms: Iterable[str], frequencies: NDArray[np.float32], length: float) -> None:
        slot = len(self._ids)
        self._slot_of[key] = slot
        self._ids.append(key)
        self._lengths.append(length)
        self._total_length += length
        names = []
        for term, frequency in zip(terms, frequencies, strict=True):
            postings = self._postings.get(term)
            if postings is None:
                postings = self._postings[term] = _Postings()
                self._names[term] = term
            postings.slots.append(slot)
            postings.frequencies.append(float(frequency))
            postings.alive += 1
            names.append(self._names[term])
        self._terms.append(tuple(names))

    def _compact(self) -> None:
        old_ids, old_lengths, old_postings = self._ids, self._lengths, self._postings
        documents: dict[int, tuple[list[str], list[float]]] = {
            slot: ([], []) for slot, key in enumerate(old_ids) if key >= 0
        }
        for term, postings in old_postings.items():
            for slot, frequency in zip(postings.slots, postings.frequencies, strict=True):
                if slot in documents:
                    documents[slot][0].append(term)
                    documents[slot][1].append(frequency)
        self._clear()
        for slot, (terms, frequencies) in documents.items():
            self._append(old_ids[slot], terms, np.array(frequencies, np.float32), old_lengths[slot])

    def _clear(self) -> None:
        self._postings: dict[str, _Postings] = {}
        self._names: dict[str, str] = {}
        self._ids: array[int] = array("q")
        self._lengths: array[float] = array("f")
        self._terms: list[tuple[str, ...]] = []
        self._slot_of: dict[int, int] = {}
        self._total_length = 0.0
