"""The vectors of one encoder in the indexes: which are there, and which are still to be computed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import DBAPIError

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.index.pgvector import PgVectorIndex
from nlp_service.knowledge.index.protocol import VectorIndex
from nlp_service.knowledge.store import EncodePassages
from nlp_service.storage.database import Database
from nlp_service.storage.faults import fault_of

Vector = NDArray[np.float32]


class VectorSpace:
    """Vectors of `dimension` by the encoder of this fingerprint. Not safe for use by several threads at once."""

    def __init__(self, database: Database, encode: EncodePassages, fingerprint: str, dimension: int) -> None:
        self.encode = encode
        self.fingerprint = fingerprint
        self.dimension = dimension
        self.missing: dict[int, int] = {}
        """Keys of records whose vector is not in the index, each with the number of the change that it lacks."""
        self.prepared_elsewhere = False
        """Whether another thread than the indexes' keeper fills and merges it: nobody searches it yet."""
        self._database = database
        self._changes = 0
        self._later: list[Callable[[VectorIndex], None]] | None = None
        self.index: VectorIndex = self._new()

    def reset(self) -> None:
        """Begin anew, without vectors."""
        self.missing.clear()
        self.index = self._new()

    def open(self, folder: Path) -> None:
        """Take the vectors that were saved there; raises IndexDamaged. PostgreSQL has them in its table anyway."""
        if not self._in_postgresql:
            self.index = FaissIndex.open(folder, self.dimension)

    def align(self, present: set[int], stale: set[int]) -> None:
        """Keep the vectors of the records that are `present`, save those that are `stale`; the others are missing."""
        there = set(self.index.keys.tolist())
        if not self._in_postgresql:
            self.remove(sorted(there - present))
        self.miss(sorted(present - (there - stale)))

    def take(self, documents: Sequence[Document], vectors: Mapping[int, Vector]) -> None:
        """Put the vectors, by number of record; documents without one are found once theirs is computed.

        Where they cannot be stored for now, as on a full disk, all are found by their words meanwhile.
        """
        there = [document for document in documents if document.id in vectors]
        keys = [document.key for document in there]
        try:
            self.put(keys, [vectors[document.id] for document in there])
        except DBAPIError as error:
            if fault_of(error) is None:
                raise
            self.miss(keys)
        self.miss([document.key for document in documents if document.id not in vectors])

    def put(self, keys: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Add vectors, or replace them."""
        if keys:
            stacked = np.stack(vectors)
            self._change(lambda index: index.put(keys, stacked))
            for key in keys:
                self.missing.pop(key, None)

    def miss(self, keys: Sequence[int]) -> None:
        """These records need another vector; one that stands there is taken out, unless all processes share it."""
        if not self._in_postgresql:
            self.remove(keys)
        for key in keys:
            self._changes += 1
            self.missing[key] = self._changes

    def remove(self, keys: Collection[int]) -> None:
        """Take records out; unknown ones are ignored."""
        self._change(lambda index: index.remove(keys))
        for key in keys:
            self.missing.pop(key, None)

    def begin_merge(self) -> FaissIndex | None:
        """A copy to merge while searches and changes go on, when much has gathered; then call `end_merge`."""
        if not isinstance(self.index, FaissIndex) or not self.index.needs_merge:
            return None
        self._later = []
        return self.index.copy()

    def end_merge(self, merged: FaissIndex | None) -> None:
        """Take the merged index, with what has changed since `begin_merge`; None leaves everything as it is."""
        later, self._later = self._later or [], None
        if merged is not None:
            for change in later:
                change(merged)
            self.index = merged

    def saving(self) -> VectorIndex:
        """The index as it is now, to be saved while this one goes on; that of PostgreSQL needs no copy."""
        return self.index.copy() if isinstance(self.index, FaissIndex) else self.index

    @property
    def _in_postgresql(self) -> bool:
        return self._database.engine.dialect.name == "postgresql"

    def _new(self) -> VectorIndex:
        if self._in_postgresql:
            return PgVectorIndex(self._database, self.fingerprint, self.dimension)
        return FaissIndex(self.dimension)

    def _change(self, change: Callable[[VectorIndex], None]) -> None:
        change(self.index)
        if self._later is not None:
            self._later.append(change)
