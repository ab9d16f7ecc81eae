"""The vector index of the knowledge base: a large base that stays, and what came after it.

Searches look into both; a replacement or removal only marks a row of the base. When much has gathered, `needs_merge`
says so, and `merged` makes an index with everything in its base. docs/decisions/0012-vector-index.md has the figures.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.index.base import Base
from nlp_service.knowledge.index.files import load_array
from nlp_service.knowledge.index.merging import SIZES, Sizes, merge
from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.index.recent import Recent
from nlp_service.knowledge.index.rows import best
from nlp_service.knowledge.keys import Mask

RECENT_KEYS_FILE, RECENT_VECTORS_FILE = "recent_keys.npy", "recent_vectors.npy"
MERGE_SHARE, MERGE_FROM, MERGE_LIMIT = 0.1, 2_000, 20_000
"""Changes beyond this share of the base ask for a merge; at least so many, and at most so many, which take 2.5 ms to
search."""


class FaissIndex:
    """Keys with normalised vectors of an even dimension. Not safe for use by several threads at once."""

    def __init__(self, dimension: int, *, sizes: Sizes = SIZES) -> None:
        self._dimension = dimension
        self._sizes = sizes
        self._base = Base.empty(dimension)
        self._recent = Recent(dimension)

    @classmethod
    def open(cls, folder: Path, dimension: int, *, sizes: Sizes = SIZES) -> "FaissIndex":
        """What `save` wrote, its base mapped into memory; raises IndexDamaged.

        Several processes that open one folder share its pages. The folder may be deleted meanwhile (not on Windows).
        """
        opened = cls(dimension, sizes=sizes)
        opened._base = Base.open(folder, dimension)
        keys = load_array(folder / RECENT_KEYS_FILE, np.int64, (None,))
        opened._recent.put(keys, load_array(folder / RECENT_VECTORS_FILE, np.float32, (len(keys), dimension)))
        if len(opened._recent) != len(keys):
            raise IndexDamaged(f"{folder / RECENT_KEYS_FILE}: 键重复 · a key stands there twice")
        return opened

    def __len__(self) -> int:
        return len(self._base) + len(self._recent)

    @property
    def keys(self) -> Keys:
        """All keys, in no order."""
        return np.concatenate([self._base.keys[self._base.alive_rows], self._recent.keys])

    @property
    def needs_merge(self) -> bool:
        """Whether so much changed since the base was made that searches suffer."""
        share = MERGE_SHARE * len(self._base.keys)
        return len(self._recent) + self._base.dead > min(max(share, MERGE_FROM), MERGE_LIMIT)

    def put(self, keys: Collection[int], vectors: Vectors) -> None:
        """Add vectors, shape (keys, dimension); a key that is already there is replaced."""
        numbers = _array(keys)
        if vectors.shape != (len(numbers), self._dimension):
            raise ValueError(f"vectors have shape {vectors.shape}, not {(len(numbers), self._dimension)}")
        self._base.remove(numbers)
        self._recent.put(numbers, vectors)

    def remove(self, keys: Collection[int]) -> None:
        """Take keys out; unknown ones are ignored."""
        self._base.remove(_array(keys))
        self._recent.remove(keys)

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` nearest (key, cosine), the best first, among `allowed` keys when given; as many as there are."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(self._dimension)
        k = min(k, len(self))
        if k <= 0:
            return []
        with _one_thread():
            keys, cosines = self._base.search(query, k, allowed)
        recent_keys, recent_cosines = self._recent.search(query, allowed)
        found, scores = best(np.concatenate([keys, recent_keys]), np.concatenate([cosines, recent_cosines]), k)
        return list(zip(found.tolist(), scores.tolist(), strict=True))

    def cosines(self, vector: Vectors, keys: Collection[int]) -> dict[int, float]:
        """The cosines of those of the different `keys` that are there, in no order."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(self._dimension)
        found, cosines = self._base.cosines(query, _array(keys))
        return dict(zip(found.tolist(), cosines.tolist(), strict=True)) | self._recent.cosines(query, keys)

    def vectors(self, keys: Collection[int]) -> dict[int, Vectors]:
        """The vectors of those of the different `keys` that are there, in no order."""
        found, vectors = self._base.vectors(_array(keys))
        return dict(zip(found.tolist(), vectors, strict=True)) | self._recent.vectors_of(keys)

    def copy(self) -> "FaissIndex":
        """The same index at this moment, for a merge or a save while this one goes on; takes milliseconds."""
        return self._like(self._base.copy(), self._recent.copy())

    def merged(self) -> "FaissIndex":
        """An index with the same vectors, all in its base; this one stays as it is.

        Seconds, or minutes when so many came that a codebook has to be learned. Searches may go on meanwhile, changes
        may not: merge a `copy` where they should.
        """
        return self._like(merge(self._base, self._recent, self._sizes), Recent(self._dimension))

    def save(self, folder: Path) -> None:
        """Write everything into an existing, empty folder, to be opened again without computing anything."""
        self._base.save(folder)
        np.save(folder / RECENT_KEYS_FILE, self._recent.keys)
        np.save(folder / RECENT_VECTORS_FILE, self._recent.vectors)

    def _like(self, base: Base, recent: Recent) -> "FaissIndex":
        other = FaissIndex(self._dimension, sizes=self._sizes)
        other._base, other._recent = base, recent
        return other


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let FAISS work in the calling thread: one query has little to share, and on busy cores threads await each other.

    The number of threads belongs to the calling thread; merges keep theirs.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _array(keys: Collection[int]) -> Keys:
    return np.fromiter(keys, dtype=np.int64, count=len(keys))
