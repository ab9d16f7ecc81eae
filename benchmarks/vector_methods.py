"""Ways to search vectors, each behind the same few functions. A further one is one more entry in METHODS."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.vector_pgvector import URL_VARIABLE, PgVector
from nlp_service.knowledge.index import compressed
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.index.merging import Sizes
from nlp_service.knowledge.index.protocol import Vectors

BLOCK = 20_000
SAMPLE = 100_000
INDEX_FILE = "index.faiss"


class Opened(Protocol):
    """An index as a process that serves has it. Row numbers are the keys."""

    def search(self, vector: Vectors, k: int, setting: int) -> Sequence[int]:
        """Rows of the nearest."""
        ...

    def add(self, rows: Sequence[int], vectors: Vectors) -> None:
        """Add rows that are not there yet."""
        ...

    def remove(self, rows: Sequence[int]) -> None:
        """Take rows out; raises RuntimeError where that cannot be done."""
        ...


class Method(Protocol):
    """How an index is built into a folder and opened from there."""

    @property
    def settings(self) -> Sequence[int]:
        """What a search may vary, from fast to thorough; (0,) for nothing."""
        ...

    def build(self, vectors: Vectors, folder: Path) -> None:
        """Build from vectors, shape (count, dimension), and write everything that serving needs."""
        ...

    def open(self, folder: Path, *, for_changes: bool) -> Opened:
        """What `build` wrote: mapped where that is possible, or in memory where changes need it."""
        ...


@dataclass(frozen=True)
class Plain:
    """An index of FAISS's own, named in the words of its factory."""

    factory: str
    settings: Sequence[int] = (0,)

    def build(self, vectors: Vectors, folder: Path) -> None:
        index = faiss.index_factory(vectors.shape[1], self.factory, faiss.METRIC_INNER_PRODUCT)
        if isinstance(index, faiss.IndexHNSW):
            index.hnsw.efConstruction = 80
        if not index.is_trained:
            rows = np.sort(np.random.default_rng(0).choice(len(vectors), min(len(vectors), SAMPLE), replace=False))
            index.train(np.ascontiguousarray(vectors[rows]))
        for _, block in _blocks(vectors):
            index.add(block)
        faiss.write_index(index, str(folder / INDEX_FILE))

    def open(self, folder: Path, *, for_changes: bool) -> "OpenedPlain":
        return OpenedPlain(faiss.read_index(str(folder / INDEX_FILE), 0 if for_changes else faiss.IO_FLAG_MMAP_IFC))


class OpenedPlain:
    """Removing from a flat index of FAISS moves what comes after."""

    def __init__(self, index: Any) -> None:
        self._index = index

    def search(self, vector: Vectors, k: int, setting: int) -> Sequence[int]:
        if setting and isinstance(self._index, faiss.IndexHNSW):
            self._index.hnsw.efSearch = setting
        elif setting:
            self._index.nprobe = setting
        found: list[int] = self._index.search(vector[None], k)[1][0].tolist()
        return found

    def add(self, rows: Sequence[int], vectors: Vectors) -> None:  # noqa: ARG002 - it counts on by itself
        self._index.add(vectors)

    def remove(self, rows: Sequence[int]) -> None:
        self._index.remove_ids(np.array(rows, dtype=np.int64))


@dataclass(frozen=True)
class Ours:
    """What the service uses; `settings` are lists that a search reads, 0 for what the service reads."""

    sizes: Sizes
    settings: Sequence[int] = (0,)

    def build(self, vectors: Vectors, folder: Path) -> None:
        index = FaissIndex(vectors.shape[1], sizes=self.sizes)
        for start, block in _blocks(vectors):
            index.put(range(start, start + len(block)), block)
        index.merged().save(folder)

    def open(self, folder: Path, *, for_changes: bool) -> "OpenedOurs":  # noqa: ARG002 - it takes changes when mapped
        dimension = np.load(folder / "recent_vectors.npy", mmap_mode="r").shape[1]
        return OpenedOurs(FaissIndex.open(folder, dimension, sizes=self.sizes), compressed.PROBES)


class OpenedOurs:
    """Takes changes while it is mapped."""

    def __init__(self, index: FaissIndex, probes: int) -> None:
        self._index, self._probes = index, probes

    def search(self, vector: Vectors, k: int, setting: int) -> Sequence[int]:
        compressed.PROBES = setting or self._probes
        return [key for key, _ in self._index.search(vector, k)]

    def add(self, rows: Sequence[int], vectors: Vectors) -> None:
        self._index.put(rows, vectors)

    def remove(self, rows: Sequence[int]) -> None:
        self._index.remove(rows)


METHODS: dict[str, Method] = {
    "exact float32": Plain("Flat"),
    "exact float16": Plain("SQfp16"),
    "exact int8": Plain("SQ8"),
    "HNSW 16, int8": Plain("HNSW16,SQ8", (64, 128, 256)),
    "HNSW 32, int8": Plain("HNSW32,SQ8", (64, 128, 256)),
    "IVF 1024, int8": Plain("IVF1024,SQ8", (64, 128, 256)),
    "IVF 1024, PQ 4 bits": Plain("IVF1024,PQ192x4fsr", (64, 128, 256)),
    "codes in one list + float16": Ours(Sizes(exact_limit=1_000, lists_from=10**9)),
    "codes in lists + float16": Ours(Sizes(exact_limit=1_000, lists_from=1_000), (80, 160, 320, 640)),
}
if URL_VARIABLE in os.environ:
    METHODS["pgvector"] = PgVector(os.environ[URL_VARIABLE])


def _blocks(vectors: Vectors) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(0, len(vectors), BLOCK):
        yield start, np.ascontiguousarray(vectors[start : start + BLOCK])
