"""Candidates for the nearest neighbours, from shortened vectors in lists.

Codes of 4 bits let the similarities of 32 vectors be looked up at once (André et al. 2015; FAISS's fast scan), but
their order is only nearly right: who asks takes several times what is needed and looks at the real vectors. Only the
lists with the nearest centres are read; with a filter, as many as it takes to meet as many permitted vectors as would
be met without one.
"""

from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.index.codebook import Codebook
from nlp_service.knowledge.index.files import load_array, read_index
from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.knowledge.index.rows import Rows, selector
from nlp_service.knowledge.index.stored import StoredVectors
from nlp_service.knowledge.keys import Mask

PROBES = 320
"""Lists that a search reads, whatever their number; measured in docs/decisions/0012-vector-index.md."""


class CompressedLists:
    """Rows lie list after list: those of list i from `starts[i]` to `starts[i + 1]`, shape (lists + 1)."""

    def __init__(self, index: "faiss.IndexIVFPQFastScan", starts: Rows) -> None:
        self._index = index
        self.starts = starts
        self.codebook = Codebook.of(index)

    @classmethod
    def of(cls, codebook: Codebook, lists: Rows, blocks: Iterable[Vectors]) -> "CompressedLists":
        """Shorten the vectors of all rows, which come in blocks of shape (rows, dimension); `lists` ascends."""
        index = codebook.empty_index()
        for block in blocks:
            first = index.ntotal
            rows = np.arange(first, first + len(block), dtype=np.int64)
            vectors = np.ascontiguousarray(block, dtype=np.float32)
            assigned = np.ascontiguousarray(lists[rows], dtype=np.int64)
            index.add_core(len(block), faiss.swig_ptr(vectors), faiss.swig_ptr(rows), faiss.swig_ptr(assigned))
        packed = faiss.IndexIVFPQFastScan(index)
        index.reset()
        packed.referenced_objects = [index]  # type: ignore[attr-defined] # it uses the quantizer of that one
        return cls(packed, np.searchsorted(lists, np.arange(codebook.lists + 1)))

    @classmethod
    def open(cls, file: Path, starts_file: Path, dimension: int) -> "CompressedLists":
        """Read what `save` wrote; raises IndexDamaged. FAISS cannot map these codes: they lie in memory."""
        index = read_index(file, faiss.IndexIVFPQFastScan, dimension)
        starts = load_array(starts_file, np.int64, (index.nlist + 1,))
        if starts[0] != 0 or starts[-1] != index.ntotal or np.any(np.diff(starts) < 0):
            raise IndexDamaged(f"{starts_file}: 与 {file.name} 不符 · does not belong to {file.name}")
        return cls(index, starts)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def nearest(
        self, vector: Vectors, k: int, candidates: int, permitted: Mask | None, stored: StoredVectors
    ) -> tuple[Rows, Vectors]:
        """The `k` best by their `stored` vectors of so many candidates, which are probably nearest; with cosines."""
        probes, selected = self._lists_to_read(vector, permitted), None if permitted is None else selector(permitted)
        reading = faiss.SearchParametersIVF(nprobe=probes, sel=selected)  # type: ignore[call-arg] # as above
        parameters = faiss.IndexRefineSearchParameters(k_factor=candidates / k, base_index_params=reading)  # type: ignore[call-arg]
        cosines, rows = stored.refining(self._index).search(vector.reshape(1, -1), k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found], cosines[0][found]

    def save(self, file: Path, starts_file: Path) -> None:
        """Write codes and starts."""
        faiss.write_index(self._index, str(file))
        np.save(starts_file, self.starts)

    def _lists_to_read(self, vector: Vectors, permitted: Mask | None) -> int:
        lists = self.codebook.lists
        if permitted is None or lists <= PROBES:
            return min(PROBES, lists)
        nearest_first = np.argsort(-(self.codebook.centres @ vector))
        wanted = np.diff(self.starts)[nearest_first[:PROBES]].sum()
        met = np.cumsum(self._count_by_list(permitted)[nearest_first])
        return min(int(np.searchsorted(met, wanted)) + 1, lists)

    def _count_by_list(self, permitted: Mask) -> Rows:
        first, end = self.starts[:-1], self.starts[1:]
        counts = np.zeros(len(first), dtype=np.int64)
        counts[first < end] = np.add.reduceat(permitted.view(np.uint8), first[first < end], dtype=np.int32)
        return counts
