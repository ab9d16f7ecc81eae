"""How vectors are sorted into lists and shortened: learned once from a sample, kept over many changes.

Product quantisation (Jégou et al. 2011) of what is left of a vector when its list's centre is taken away: two
dimensions to a code of 4 bits.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.knowledge.index.rows import Rows

DIMENSIONS_OF_CODE = 2
BITS_OF_CODE = 4


@dataclass(frozen=True)
class Codebook:
    """Centres of the lists, shape (lists, dimension), and the words that codes stand for, flat."""

    centres: Vectors
    words: NDArray[np.float32]

    @classmethod
    def trained(cls, sample: Vectors, lists: int) -> "Codebook":
        """Learn from normalised vectors, shape (vectors, dimension)."""
        index = _untrained(sample.shape[1], lists)
        index.train(np.ascontiguousarray(sample, dtype=np.float32))
        return cls.of(index)

    @classmethod
    def of(cls, index: "faiss.IndexIVFPQ | faiss.IndexIVFPQFastScan") -> "Codebook":
        """The codebook that an index was made with."""
        centres = index.quantizer.reconstruct_n(0, index.nlist)
        return cls(centres, faiss.vector_to_array(index.pq.centroids))

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return len(self.centres)

    def assign(self, vectors: Vectors) -> Rows:
        """The list of each vector, shape (vectors)."""
        quantizer = faiss.IndexFlatIP(self.centres.shape[1])
        quantizer.add(self.centres)
        nearest: Rows = quantizer.assign(np.ascontiguousarray(vectors, dtype=np.float32), 1)
        return nearest.ravel()

    def empty_index(self) -> "faiss.IndexIVFPQ":
        """An index of this codebook without vectors."""
        index = _untrained(self.centres.shape[1], self.lists)
        index.quantizer.add(self.centres)
        faiss.copy_array_to_vector(self.words, index.pq.centroids)
        index.is_trained = True
        return index


def _untrained(dimension: int, lists: int) -> "faiss.IndexIVFPQ":
    codes = dimension // DIMENSIONS_OF_CODE
    quantizer = faiss.IndexFlatIP(dimension)
    return faiss.IndexIVFPQ(quantizer, dimension, lists, codes, BITS_OF_CODE, faiss.METRIC_INNER_PRODUCT)
