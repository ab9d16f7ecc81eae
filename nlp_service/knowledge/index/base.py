"""The large part of an index: vectors that stay as they are, of which some no longer count."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.index.compressed import CompressedLists
from nlp_service.knowledge.index.files import load_array
from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.index.rows import Rows, meant_by
from nlp_service.knowledge.index.stored import StoredVectors
from nlp_service.knowledge.keys import Mask

VECTORS_FILE, KEYS_FILE, LISTS_FILE, STARTS_FILE = "vectors.faiss", "keys.npy", "lists.faiss", "starts.npy"
NO_KEY = -1
SPEED_OF_CODES = 10
"""So many codes are read in the time of one exact product: of so small a share all permitted vectors are looked at."""
CANDIDATES, CANDIDATES_PER_RESULT = 260, 4
"""How many candidates are looked at exactly: 300 for ten results, 660 for a hundred."""


class Base:
    """A key for each stored row, NO_KEY for removed ones.

    Exact with float32 vectors and no lists, or approximate with float16 vectors and lists.
    """

    def __init__(self, keys: Keys, stored: StoredVectors, lists: CompressedLists | None = None) -> None:
        self.keys = keys
        self.stored = stored
        self.lists = lists
        self._alive: Mask = keys != NO_KEY
        self._by_key: Rows = np.argsort(keys, kind="stable")
        self.dead = int(np.count_nonzero(~self._alive))
        self._last: _Permitted | None = None

    @classmethod
    def empty(cls, dimension: int) -> "Base":
        """No rows."""
        return cls(np.empty(0, dtype=np.int64), StoredVectors.empty(dimension, half=False))

    @classmethod
    def open(cls, folder: Path, dimension: int) -> "Base":
        """Map what `save` wrote; raises IndexDamaged."""
        stored = StoredVectors.open(folder / VECTORS_FILE, dimension)
        keys = load_array(folder / KEYS_FILE, np.int64, (len(stored),))
        if not stored.half:
            return cls(keys, stored)
        lists = CompressedLists.open(folder / LISTS_FILE, folder / STARTS_FILE, dimension)
        if len(lists) != len(stored):
            raise IndexDamaged(f"{folder / LISTS_FILE}: 条数不符 · {len(lists)} rows, but {len(stored)} are needed")
        return cls(keys, stored, lists)

    def __len__(self) -> int:
        return len(self.keys) - self.dead

    def copy(self) -> "Base":
        """The same vectors, not copied; removals of one do not show in the other."""
        other = copy.copy(self)
        other._alive = self._alive.copy()
        return other

    @property
    def alive_rows(self) -> Rows:
        """The rows that count, ascending."""
        return np.flatnonzero(self._alive)

    def remove(self, keys: Keys) -> None:
        """Let these keys count no longer; unknown ones are ignored."""
        rows = np.unique(self._rows_of(keys))
        self._alive[rows] = False
        self.dead += len(rows)

    def search(self, vector: Vectors, k: int, allowed: Mask | None) -> tuple[Keys, Vectors]:
        """The keys of the `k` nearest rows that count and are allowed, the best first, and their cosines."""
        permitted, count = self._permitted(allowed)
        if count == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        wanted = CANDIDATES + CANDIDATES_PER_RESULT * k
        if self.lists is not None and count > max(len(self.keys) / SPEED_OF_CODES, wanted):
            found, cosines = self.lists.nearest(vector, k, wanted, permitted, self.stored)
            if len(found) == k:
                return self.keys[found], cosines
        found, cosines = self.stored.search(vector, min(k, count), permitted)
        return self.keys[found], cosines

    def cosines(self, vector: Vectors, keys: Keys) -> tuple[Keys, Vectors]:
        """Those of the keys that count, and their cosines."""
        found, vectors = self.vectors(keys)
        return found, vectors @ vector

    def vectors(self, keys: Keys) -> tuple[Keys, Vectors]:
        """Those of the keys that count, and their vectors, shape (keys, dimension)."""
        rows = self._rows_of(keys)
        return self.keys[rows], self.stored.take(rows)

    def save(self, folder: Path) -> None:
        """Write everything into a folder; a removed row stays, without its key."""
        self.stored.save(folder / VECTORS_FILE)
        np.save(folder / KEYS_FILE, np.where(self._alive, self.keys, NO_KEY))
        if self.lists is not None:
            self.lists.save(folder / LISTS_FILE, folder / STARTS_FILE)

    def _rows_of(self, keys: Keys) -> Rows:
        """The rows of those of the keys that count."""
        if len(self.keys) == 0:
            return np.empty(0, dtype=np.int64)
        places = np.searchsorted(self.keys, keys, sorter=self._by_key)
        rows = self._by_key[np.minimum(places, len(self.keys) - 1)]
        found: Rows = rows[self._alive[rows] & (self.keys[rows] == keys)]
        return found

    def _permitted(self, allowed: Mask | None) -> tuple[Mask | None, int]:
        """Which rows may be found, None for all of them, and how many they are."""
        if allowed is None:
            return (self._alive if self.dead else None), len(self)
        if self._last is not None and self._last.allowed is allowed and self._last.dead == self.dead:
            return self._last.permitted, self._last.count
        permitted = meant_by(allowed, self.keys) & self._alive
        count = int(np.count_nonzero(permitted))
        found = _Permitted(allowed, self.dead, None if count == len(self.keys) else permitted, count)
        if not allowed.flags.writeable:
            self._last = found
        return found.permitted, count


@dataclass(frozen=True, eq=False)
class _Permitted:
    """The rows that a mask permitted when so many were dead."""

    allowed: Mask
    dead: int
    permitted: Mask | None
    count: int
