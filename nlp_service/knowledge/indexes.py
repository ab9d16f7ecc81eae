"""The text indexes of one process over all records: terms and facets, changed and saved together."""

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.facets import FacetIndex, Filters
from nlp_service.knowledge.index.protocol import Keys
from nlp_service.knowledge.lexical_index import LexicalIndex

TERMS, FACETS = "terms", "facets"


class TextIndexes:
    """What is found without an encoder. Not safe for use by several threads at once."""

    def __init__(self, lexical: LexicalIndex | None = None, facets: FacetIndex | None = None) -> None:
        self.lexical = lexical or LexicalIndex()
        self.facets = facets or FacetIndex()

    def __len__(self) -> int:
        return len(self.facets)

    @property
    def keys(self) -> Keys:
        """Those of all records, ascending."""
        return np.flatnonzero(self.facets.match(Filters(), None))

    def put(self, documents: Iterable[tuple[Document, Sequence[str]]]) -> None:
        """Add records with the terms of their texts, or replace them."""
        for document, terms in documents:
            self.lexical.put(document.key, terms)
            self.facets.put(document.key, document.facets)

    def remove(self, keys: Sequence[int]) -> None:
        """Take records out; unknown ones are ignored."""
        self.lexical.remove(keys)
        self.facets.remove(keys)

    def copy(self) -> "TextIndexes":
        """The same records at this moment, to be saved while these indexes go on."""
        return TextIndexes(self.lexical.copy(), copy.deepcopy(self.facets))

    def save(self, folder: Path) -> None:
        """Write everything into an existing, empty folder."""
        for name, part in ((TERMS, self.lexical), (FACETS, self.facets)):
            (folder / name).mkdir()
            part.save(folder / name)

    @classmethod
    def open(cls, folder: Path) -> "TextIndexes":
        """What `save` wrote, mapped where it can be; raises IndexDamaged."""
        opened = cls(LexicalIndex.open(folder / TERMS), FacetIndex.open(folder / FACETS))
        if len(opened.lexical) != len(opened.facets):
            raise IndexDamaged(
                f"词项与属性条数不符 · {len(opened.lexical)} records with terms, {len(opened.facets)} with facets"
            )
        return opened
