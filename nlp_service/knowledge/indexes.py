"""The indexes of one process over all records: vectors, terms and facets, changed and saved together."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.facets import FacetIndex
from nlp_service.knowledge.index.protocol import VectorIndex
from nlp_service.knowledge.lexical_index import LexicalIndex
from nlp_service.text.segmentation import terms

PARTS = ("vectors", "terms", "facets")


class Indexes:
    """Not safe for use by several threads at once."""

    def __init__(self, vectors: VectorIndex, lexical: LexicalIndex, facets: FacetIndex) -> None:
        self.vectors = vectors
        self.lexical = lexical
        self.facets = facets

    def __len__(self) -> int:
        return len(self.facets)

    def put(self, documents: Sequence[Document], vectors: NDArray[np.float32]) -> None:
        """Add records with their vectors, shape (documents, dimension), or replace them."""
        self.vectors.put([document.key for document in documents], vectors)
        for document in documents:
            self.lexical.put(document.key, terms(document.text))
            self.facets.put(document.key, document.facets)

    def remove(self, keys: Sequence[int]) -> None:
        """Take records out; unknown ones are ignored."""
        self.vectors.remove(keys)
        self.lexical.remove(keys)
        self.facets.remove(keys)

    def save(self, folder: Path) -> None:
        """Write everything into an existing, empty folder."""
        for name, save in zip(PARTS, (self.vectors.save, self.lexical.save, self.facets.save), strict=True):
            (folder / name).mkdir()
            save(folder / name)
