"""Vectors by row, in memory or mapped from a file that several processes share; searched exactly."""

from pathlib import Path

import faiss
import numpy as np

from nlp_service.knowledge.index.files import read_index
from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.knowledge.index.rows import Rows, best, selector
from nlp_service.knowledge.keys import Mask

FEW = 500
"""Picking out a row costs as much as passing over so many that are not permitted."""


class StoredVectors:
    """Rows from 0 in the order of `add`: float32, or float16 at half the size and about the same speed."""

    def __init__(self, index: "faiss.IndexFlatIP | faiss.IndexScalarQuantizer") -> None:
        self._index = index

    @classmethod
    def empty(cls, dimension: int, *, half: bool) -> "StoredVectors":
        """No rows yet; float16 when `half`."""
        if half:
            kind = faiss.ScalarQuantizer.QT_fp16
            return cls(faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT))
        return cls(faiss.IndexFlatIP(dimension))

    @classmethod
    def open(cls, file: Path, dimension: int) -> "StoredVectors":
        """Map what `save` wrote; raises IndexDamaged. Nothing can be added to it."""
        return cls(read_index(file, (faiss.IndexFlatIP, faiss.IndexScalarQuantizer), dimension))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def half(self) -> bool:
        """Whether these are float16."""
        return isinstance(self._index, faiss.IndexScalarQuantizer)

    def add(self, vectors: Vectors) -> None:
        """Append rows, shape (rows, dimension)."""
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def take(self, rows: Rows) -> Vectors:
        """The vectors of these rows, shape (rows, dimension)."""
        vectors: Vectors = self._index.reconstruct_batch(rows)
        return vectors

    def search(self, vector: Vectors, k: int, permitted: Mask | None) -> tuple[Rows, Vectors]:
        """The `k` best rows of those permitted, the best first, and their cosines."""
        if permitted is not None and np.count_nonzero(permitted) * FEW <= len(self):
            return self.best_of(np.flatnonzero(permitted), vector, k)
        selected = None if permitted is None else selector(permitted)
        parameters = faiss.SearchParameters(sel=selected)  # type: ignore[call-arg] # FAISS adds it at import
        cosines, rows = self._index.search(vector.reshape(1, -1), k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found], cosines[0][found]

    def best_of(self, rows: Rows, vector: Vectors, k: int) -> tuple[Rows, Vectors]:
        """The `k` best of these rows, the best first, and their cosines."""
        return best(rows, self.take(rows) @ vector, k)

    def refining(self, index: faiss.Index) -> faiss.IndexRefine:
        """An index that compares again, in full, what `index` of the same rows finds."""
        return faiss.IndexRefine(index, self._index)

    def save(self, file: Path) -> None:
        """Write all rows."""
        faiss.write_index(self._index, str(file))
