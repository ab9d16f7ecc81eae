"""Nearest vectors by inner product, exact, with FAISS."""

from collections.abc import Collection

import faiss
import numpy as np
from numpy.typing import NDArray


class VectorIndex:
    """Ids with normalised vectors. Not safe for use by several threads at once."""

    def __init__(self, dimension: int) -> None:
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        self._ids: set[int] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, ids: Collection[int], vectors: NDArray[np.float32]) -> None:
        """Add vectors, shape (ids, dimension); an id that is already there is replaced."""
        self.remove(ids)
        self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.fromiter(ids, np.int64, len(ids)))
        self._ids.update(ids)

    def remove(self, ids: Collection[int]) -> None:
        """Take ids out; unknown ones are ignored."""
        known = self._ids.intersection(ids)
        if known:
            self._index.remove_ids(_selector(known))
            self._ids -= known

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """The `k` nearest (id, cosine), the best first, among `allowed` ids when given."""
        k = min(k, len(self._ids) if allowed is None else len(allowed))
        if k == 0:
            return []
        parameters = None
        if allowed is not None:
            parameters = faiss.SearchParameters(sel=_selector(allowed))  # type: ignore[call-arg] # FAISS adds it at import
        scores, ids = self._index.search(vector.reshape(1, -1).astype(np.float32), k, params=parameters)
        return [(int(key), float(score)) for key, score in zip(ids[0], scores[0], strict=True) if key >= 0]


def _selector(ids: Collection[int]) -> faiss.IDSelectorBatch:
    return faiss.IDSelectorBatch(np.fromiter(ids, np.int64, len(ids)))
