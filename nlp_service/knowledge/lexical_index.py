"""BM25 over terms, updated document by document.

Lucene's variant (Kamphuis et al. 2020): idf = ln(1 + (N − df + ½)/(df + ½)), weight tf / (tf + k1·(1 − b + b·L/avgL)).
Documents stand in slots. What was saved or compacted lies in flat arrays, what came later in a list for each term; a
removed document leaves its slot dead, with a length of infinity (so of no weight), until enough of them are compacted.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.growing import grown
from nlp_service.knowledge.keys import Mask
from nlp_service.knowledge.packed_postings import EMPTY, Frequencies, PackedPostings, Slots, packed

K1, B = 1.5, 0.75
COMPACT_FROM = 1024
DEAD = -1
REMEMBERED, ENTRY = 1_000_000, 20
"""So many documents of terms are remembered with their weights, 12 bytes each; a term itself counts 20."""
LONG = 10_000
"""A term that more documents hold is not remembered: few such would fill all the room."""
AHEAD = 2
"""So many times as many documents as are asked for are looked at first."""


Alternatives = Sequence[tuple[str, float]]
"""Terms that say the same, each with a weight from 0 to 1."""
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LexicalScores:
    """BM25 of every document for one query."""

    _keys: NDArray[np.int64]
    _slot_of: NDArray[np.int32]
    _scores: Scores
    best_possible: float

    def best(self, k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` (1 or more) best (key, score > 0) among `allowed` keys: the best first, equal ones by key."""
        ahead = AHEAD * k
        if len(self._scores) > ahead:
            # Among twice as many of all documents there mostly are enough: then the others need not be looked at.
            least = np.partition(self._scores, -ahead)[-ahead]
            slots = self._allowed(np.flatnonzero(self._scores > max(least, 0)), allowed)
            if len(slots) >= k:
                return _best(self._keys[slots], self._scores[slots], k)
        slots = self._allowed(np.flatnonzero(self._scores > 0), allowed)
        return _best(self._keys[slots], self._scores[slots], k)

    def _allowed(self, slots: NDArray[np.intp], allowed: Mask | None) -> NDArray[np.intp]:
        if allowed is None:
            return slots
        if not len(allowed):
            return slots[:0]
        keys = self._keys[slots]
        return slots[allowed.take(keys, mode="clip") & (keys < len(allowed))]

    def shares_of(self, keys: Sequence[int]) -> list[float]:
        """The scores of some keys that are in the index, as shares of the best possible one."""
        scores = self._scores[self._slot_of[np.asarray(keys, np.int64)]]
        return (scores / max(self.best_possible, 1e-9)).tolist()  # type: ignore[no-any-return]


def _best(keys: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    """The `k` best, those of equal scores by key."""
    if len(keys) > k:
        least = np.partition(scores, -k)[-k]
        above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        chosen = np.concatenate([above, equal[np.argsort(keys[equal])[: k - len(above)]]])
        keys, scores = keys[chosen], scores[chosen]
    order = np.lexsort((keys, -scores))
    return list(zip(keys[order].tolist(), scores[order].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class _Held:
    """The documents that hold a term, what it adds to the score of each, and its idf; 0 where none does."""

    slots: NDArray[np.intp]
    weights: Scores
    idf: float


NOWHERE = _Held(np.zeros(0, np.intp), np.zeros(0, np.float32), 0.0)


class LexicalIndex:
    """Keys (0 or more) with their terms. Not safe for use by several threads at once."""

    _packed: PackedPostings
    _recent: "dict[str, array[int]]"
    """What came later: for each term slot, frequency, slot, frequency …"""
    _keys: "array[int]"
    _lengths: "array[float]"
    _slot_of: NDArray[np.int32]
    _alive: int
    _total_length: float
    _norms: NDArray[np.float32] | None
    _keys_now: NDArray[np.int64] | None
    _terms: dict[str, _Held]
    """Those that were asked for since the last change."""
    _remembered: int
    """Documents in them, and ENTRY for each."""

    def __init__(self) -> None:
        self._fill(EMPTY, np.zeros(0, np.int64), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return self._alive

    def put(self, key: int, terms: Sequence[str]) -> None:
        """Add a document; a key that is already there is replaced."""
        self.remove([key])
        slot = len(self._keys)
        for term, frequency in Counter(terms).items():
            postings = self._recent.get(term)
            if postings is None:
                self._recent[term] = array("i", (slot, frequency))
            else:
                postings.extend((slot, frequency))
        self._slot_of = grown(self._slot_of, key + 1, DEAD)
        self._slot_of[key] = slot
        self._keys.append(key)
        self._lengths.append(len(terms))
        self._alive += 1
        self._total_length += len(terms)
        self._forget()

    def remove(self, keys: Iterable[int]) -> None:
        """Take documents out; unknown keys are ignored."""
        for key in keys:
            slot = int(self._slot_of[key]) if 0 <= key < len(self._slot_of) else DEAD
            if slot == DEAD:
                continue
            self._slot_of[key] = DEAD
            self._keys[slot] = DEAD
            self._alive -= 1
            self._total_length -= self._lengths[slot]
            self._lengths[slot] = np.inf
            self._forget()
        if len(self._keys) > COMPACT_FROM and self._alive * 2 < len(self._keys):
            self._compact()

    def search(self, terms: Iterable[str], k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` (1 or more) best (key, BM25 score > 0) among `allowed` keys: the best first, equal ones by key."""
        return self.scores([(term, 1.0)] for term in dict.fromkeys(terms)).best(k, allowed)

    def scores(self, query: Iterable[Alternatives]) -> LexicalScores:
        """BM25 of every document: the sum over the query's words of the best of each word's weighted alternatives.

        `best_possible` is what a document reaches at most that holds every word: the sum of idf·1, as a term's weight
        stays below 1 however often it occurs. A word that no document holds counts there as the rarest.
        """
        total, one = np.zeros(len(self._keys), np.float32), None
        best_possible = 0.0
        for alternatives in query:
            known = [(weight, held) for term, weight in alternatives if (held := self._held(term)).idf]
            best_possible += max((weight * held.idf for weight, held in known), default=self._idf(0))
            if len(known) == 1:
                weight, held = known[0]
                total[held.slots] += weight * held.weights
            elif known:
                one = np.zeros_like(total) if one is None else one
                for weight, held in known:
                    one[held.slots] = np.maximum(one[held.slots], weight * held.weights)
                for _, held in known:
                    total[held.slots] += one[held.slots]
                    one[held.slots] = 0.0  # so that it counts once where a document holds several of them
        return LexicalScores(self._current_keys(), self._slot_of, total, best_possible)

    def copy(self) -> "LexicalIndex":
        """The same documents at this moment, to be saved while this index goes on; what is packed is not copied."""
        other = object.__new__(LexicalIndex)
        other.__dict__.update(self.__dict__)
        other._recent = {term: postings[:] for term, postings in self._recent.items()}
        other._keys, other._lengths, other._slot_of = self._keys[:], self._lengths[:], self._slot_of.copy()
        other._forget()
        return other

    def save(self, folder: Path) -> None:
        """Write everything into an existing folder; no terms of removed documents are written."""
        self._compact()
        np.save(folder / "keys.npy", np.frombuffer(self._keys, np.int64), allow_pickle=False)
        np.save(folder / "lengths.npy", np.frombuffer(self._lengths, np.float32), allow_pickle=False)
        self._packed.save(folder)

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """What was saved in `folder`, whose files are mapped: they may be deleted meanwhile, not written to.

        Raises IndexDamaged when a file is missing, cannot be read or does not fit the others.
        """
        try:
            keys = np.load(folder / "keys.npy", allow_pickle=False)
            lengths = np.load(folder / "lengths.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamaged("词项索引文件无法读取 · a file of the lexical index cannot be read") from error
        fit = keys.dtype == np.int64 and lengths.dtype == np.float32 and keys.ndim == 1 and keys.shape == lengths.shape
        if not fit or np.any(keys < 0) or len(np.unique(keys)) != len(keys) or not np.all(np.isfinite(lengths)):
            raise IndexDamaged("词项索引的编号或长度有误 · keys or lengths of the lexical index are wrong")
        index = cls()
        index._fill(PackedPostings.open(folder, len(keys)), keys, lengths)
        return index

    def _current_norms(self) -> NDArray[np.float32]:
        """k1·(1 − b + b·L/avgL) for each slot; infinity for a dead one."""
        if self._norms is None:
            average = max(self._total_length / max(self._alive, 1), 1e-9)
            lengths = np.frombuffer(self._lengths, np.float32)
            self._norms = lengths * np.float32(K1 * B / average) + np.float32(K1 * (1 - B))
        return self._norms

    def _current_keys(self) -> NDArray[np.int64]:
        if self._keys_now is None:
            self._keys_now = np.frombuffer(self._keys, np.int64).copy()
        return self._keys_now

    def _held(self, term: str) -> _Held:
        held = self._terms.get(term)
        if held is None:
            held = self._found(term)
            if len(held.slots) <= LONG:
                self._remembered += ENTRY + len(held.slots)
                if self._remembered > REMEMBERED:
                    self._terms, self._remembered = {}, ENTRY + len(held.slots)
                self._terms[term] = held
        return held

    def _found(self, term: str) -> _Held:
        slots, frequencies = self._postings(term)
        norms = self._current_norms()[slots]
        alive = len(slots) if self._alive == len(self._keys) else int(np.count_nonzero(np.isfinite(norms)))
        if not alive:
            return NOWHERE
        idf = self._idf(alive)
        return _Held(slots.astype(np.intp), idf * frequencies / (frequencies + norms), idf)

    def _idf(self, documents_with_term: int) -> float:
        return float(np.log1p((self._alive - documents_with_term + 0.5) / (documents_with_term + 0.5)))

    def _postings(self, term: str) -> tuple[Slots, Frequencies]:
        slots, frequencies = self._packed.of(term)
        recent = self._recent.get(term)
        if recent is None:
            return slots, frequencies
        pairs = np.frombuffer(recent, np.int32).reshape(-1, 2)
        return np.concatenate([slots, pairs[:, 0]]), np.concatenate([frequencies, pairs[:, 1].astype(np.float32)])

    def _compact(self) -> None:
        keys = np.frombuffer(self._keys, np.int64)
        alive = keys >= 0
        if not self._recent and alive.all():
            return
        new_slots = np.where(alive, np.cumsum(alive) - 1, DEAD).astype(np.int32)
        merged = self._packed.merged(packed(self._recent), new_slots)
        self._fill(merged, keys[alive], np.frombuffer(self._lengths, np.float32)[alive])

    def _fill(self, postings: PackedPostings, keys: NDArray[np.int64], lengths: NDArray[np.float32]) -> None:
        self._packed, self._recent = postings, {}
        self._keys = array("q", keys.tobytes())
        self._lengths = array("f", lengths.tobytes())
        self._slot_of = np.full(int(keys.max(initial=DEAD)) + 1, DEAD, np.int32)
        self._slot_of[keys] = np.arange(len(keys), dtype=np.int32)
        self._alive = len(keys)
        self._total_length = float(lengths.sum(dtype=np.float64))
        self._forget()

    def _forget(self) -> None:
        """Drop what was computed from the documents that there were."""
        self._norms, self._keys_now = None, None
        self._terms, self._remembered = {}, 0
