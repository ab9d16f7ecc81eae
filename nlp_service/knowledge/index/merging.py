"""A new base from an old one and what came after it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nlp_service.knowledge.index.base import Base
from nlp_service.knowledge.index.codebook import Codebook
from nlp_service.knowledge.index.compressed import CompressedLists
from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.index.recent import Recent
from nlp_service.knowledge.index.rows import Rows
from nlp_service.knowledge.index.stored import StoredVectors

SMALLEST_CODEBOOK = 1_000
"""Vectors that 16 words of each code can be learned from; FAISS asks for 624."""
SAMPLE_OF_LIST, SMALLEST_SAMPLE = 40, 20_000
"""Vectors that a codebook is learned from: so many for each list, and at least."""
BLOCK = 16_384


@dataclass(frozen=True)
class Sizes:
    """From how many vectors on a base is what. Raises ValueError when the exact limit is below SMALLEST_CODEBOOK."""

    exact_limit: int = 20_000
    """Up to here it is exact: at most about 2.5 ms a search on one core."""
    lists_from: int = 200_000
    """From here on lists pay: to read the codes of fewer takes little more than a millisecond."""
    vectors_of_list: int = 256

    def __post_init__(self) -> None:
        if self.exact_limit < SMALLEST_CODEBOOK:
            raise ValueError(f"exact_limit is {self.exact_limit}, but at least {SMALLEST_CODEBOOK} is needed")

    def lists_for(self, count: int) -> int:
        """How many lists suit so many vectors: a power of two, 1 when all codes are read."""
        return 1 if count < self.lists_from else int(2 ** round(np.log2(count / self.vectors_of_list)))


SIZES = Sizes()
"""Measured in docs/decisions/0012-vector-index.md."""


def merge(base: Base, recent: Recent, sizes: Sizes) -> Base:
    """A base of all that counts in both; changes neither."""
    source = _Source(base, recent)
    if len(source.keys) <= sizes.exact_limit:
        order = np.argsort(source.keys)
        return Base(source.keys[order], _stored(source, order, half=False))
    codebook, lists = _sorted_into_lists(source, sizes)
    order = np.lexsort((source.keys, lists))
    compressed = CompressedLists.of(codebook, lists[order], source.blocks(order))
    return Base(source.keys[order], _stored(source, order, half=True), compressed)


class _Source:
    """What counts in a base, by ascending row, and after it what is recent."""

    def __init__(self, base: Base, recent: Recent) -> None:
        self.base, self.recent = base, recent
        self.rows = base.alive_rows
        self.keys: Keys = np.concatenate([base.keys[self.rows], recent.keys])
        self.dimension = recent.vectors.shape[1]

    def take(self, places: Rows) -> Vectors:
        """The vectors at these places, shape (places, dimension)."""
        old = places < len(self.rows)
        vectors = np.empty((len(places), self.dimension), dtype=np.float32)
        vectors[old] = self.base.stored.take(self.rows[places[old]])
        vectors[~old] = self.recent.vectors[places[~old] - len(self.rows)]
        return vectors

    def blocks(self, order: Rows) -> Iterator[Vectors]:
        """The vectors in this order, a block at a time."""
        for start in range(0, len(order), BLOCK):
            yield self.take(order[start : start + BLOCK])


def _stored(source: _Source, order: Rows, *, half: bool) -> StoredVectors:
    stored = StoredVectors.empty(source.dimension, half=half)
    for block in source.blocks(order):
        stored.add(block)
    return stored


def _sorted_into_lists(source: _Source, sizes: Sizes) -> tuple[Codebook, Rows]:
    """A codebook, the old one while it suits the size, and the list of each vector."""
    count, old = len(source.keys), source.base.lists
    wanted = sizes.lists_for(count)
    if old is not None and wanted / 2 <= old.codebook.lists <= wanted * 2:
        known = np.searchsorted(old.starts, source.rows, side="right") - 1
        return old.codebook, np.concatenate([known, old.codebook.assign(source.recent.vectors)])
    size = min(count, max(SAMPLE_OF_LIST * wanted, SMALLEST_SAMPLE))
    sample = np.sort(np.random.default_rng(0).choice(count, size, replace=False))
    codebook = Codebook.trained(source.take(sample), wanted)
    return codebook, np.concatenate([codebook.assign(block) for block in source.blocks(np.arange(count))])
