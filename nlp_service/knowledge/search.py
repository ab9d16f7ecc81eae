"""Hybrid search over articles and cases, kept current with the database.

The database is the truth. Each process holds indexes of its own, and before every search it follows the sequences of
changes; so a search sees every change that was committed before it began, in any process.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.facets import FacetIndex, Filters
from nlp_service.knowledge.highlight import Highlight, highlights
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.indexes import Indexes
from nlp_service.knowledge.keys import Kind, Mask, key_of, record_of
from nlp_service.knowledge.lexical_index import LexicalIndex, LexicalScores
from nlp_service.knowledge.query import alternatives
from nlp_service.knowledge.relevance import Mode, Relevance
from nlp_service.knowledge.sources import SOURCES, Source
from nlp_service.knowledge.store import EncodePassages
from nlp_service.storage.database import Database
from nlp_service.text.segmentation import terms

CANDIDATES = 100
LOAD_CHUNK = 256
SAME_PRODUCT, SAME_MODULE = 1.0, 0.5
"""Added to the strength of what belongs to the asker's product or module, in logits."""
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Context:
    """Where the asker is: records of the same product and module come first among equals."""

    product: str | None = None
    module: str | None = None


@dataclass(frozen=True)
class Hit:
    """A record that was found, and the probability that it answers the query."""

    document: Document
    score: float
    highlights: list[Highlight]


NO_FILTERS = Filters()
NOWHERE = Context()


class KnowledgeSearch:
    """The indexes of this process. May be used by several threads."""

    def __init__(
        self,
        database: Database,
        encode: EncodePassages,
        encoder_fingerprint: str,
        dimension: int,
        statuses: Sequence[str],
        relevance: Relevance,
    ) -> None:
        self._database = database
        self._encode = encode
        self._fingerprint = encoder_fingerprint
        self._dimension = dimension
        self._default_statuses = frozenset(statuses) | {"solved"}
        self._relevance = relevance
        self._lock = threading.RLock()
        self._seen: dict[Kind, int] = {}
        self._reset()

    def __len__(self) -> int:
        return len(self._indexes)

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Build the indexes anew from the database; `progress` gets (done, total)."""
        with self._lock, self._database.read() as session:
            self._reset()
            self._seen = {source.kind: source.last_change(session) for source in SOURCES}
            everything = [(source, source.numbers(session)) for source in SOURCES]
            total, done = sum(len(numbers) for _, numbers in everything), 0
            for source, numbers in everything:
                for some in _chunks(numbers):
                    self._load(session, source, some)
                    done += len(some)
                    if progress is not None:
                        progress(done, total)

    def follow(self) -> None:
        """Apply the changes that were committed since the last call."""
        with self._lock, self._database.read() as session:
            for source in SOURCES:
                last = source.last_change(session)
                if last == self._seen[source.kind]:
                    continue
                for some in _chunks(source.changed_after(session, self._seen[source.kind])):
                    self._load(session, source, some)
                self._seen[source.kind] = last

    def search(
        self,
        query: str,
        vector: Vector | None,
        *,
        top_k: int,
        mode: Mode,
        filters: Filters = NO_FILTERS,
        context: Context = NOWHERE,
        min_score: float = 0.0,
    ) -> list[Hit]:
        """The best `top_k` records that answer with a probability of `min_score` or more; none is an answer, too.

        `vector` is the query's, normalised, shape (dimension,) or (1, dimension); a lexical search needs none.
        """
        if mode != "lexical" and vector is None:
            raise ValueError(f"{mode} search needs the query's vector")
        asked = list(dict.fromkeys(terms(query)))
        self.follow()
        with self._lock:
            ranked = self._ranked(asked, vector, max(CANDIDATES, top_k), mode, filters, context)
        chosen = [(key, score) for key, score in ranked[:top_k] if score >= min_score]
        return self._hits(chosen, asked)

    def _ranked(
        self, asked: Sequence[str], vector: Vector | None, depth: int, mode: Mode, filters: Filters, context: Context
    ) -> list[tuple[int, float]]:
        """Candidates with their probabilities, the best first, equal ones by key."""
        allowed = self._indexes.facets.match(filters, self._default_statuses)
        scores = self._indexes.lexical.scores(alternatives(asked)) if mode != "dense" else None
        cosines = self._cosines(vector, depth, allowed, scores) if mode != "lexical" and vector is not None else {}
        found = dict.fromkeys(cosines)
        if scores is not None:
            found |= dict.fromkeys(key for key, _ in scores.best(depth, allowed))
        keys = list(found)
        shares = [0.0] * len(keys) if scores is None else scores.shares_of(keys)
        strengths = self._relevance.strengths(mode, [cosines.get(key, 0.0) for key in keys], shares)
        strengths = strengths + self._bonus(keys, context)
        probabilities = self._relevance.probabilities(mode, strengths)
        order = sorted(range(len(keys)), key=lambda place: (-strengths[place], keys[place]))
        return [(keys[place], float(probabilities[place])) for place in order]

    def _cosines(self, vector: Vector, depth: int, allowed: Mask, scores: LexicalScores | None) -> dict[int, float]:
        """Of the nearest records, and of those that hold the query's terms although they are not among the nearest."""
        nearest = dict(self._indexes.vectors.search(vector.reshape(-1), depth, allowed))
        if scores is not None:
            others = [key for key, _ in scores.best(depth, allowed) if key not in nearest]
            if others:
                only = np.zeros(max(others) + 1, bool)
                only[others] = True
                nearest |= dict(self._indexes.vectors.search(vector.reshape(-1), len(others), only))
        return nearest

    def _bonus(self, keys: Sequence[int], context: Context) -> NDArray[np.float64]:
        bonus = np.zeros(len(keys))
        for place, key in enumerate(keys):
            facets = self._indexes.facets.facets_of(key) if context != NOWHERE else None
            if facets is not None:
                bonus[place] += SAME_PRODUCT * (context.product is not None and facets.product == context.product)
                bonus[place] += SAME_MODULE * (context.module is not None and facets.module == context.module)
        return bonus

    def _hits(self, ranked: Sequence[tuple[int, float]], asked: Sequence[str]) -> list[Hit]:
        wanted: dict[Kind, list[int]] = {}
        for key, _ in ranked:
            kind, number = record_of(key)
            wanted.setdefault(kind, []).append(number)
        with self._database.read() as session:
            documents = {
                document.key: document
                for source in SOURCES
                if source.kind in wanted
                for document in source.documents(session, wanted[source.kind])
            }
        return [
            Hit(documents[key], score, highlights(documents[key].fields, set(asked)))
            for key, score in ranked
            if key in documents
        ]

    def _load(self, session: Session, source: Source, numbers: Sequence[int]) -> None:
        documents = source.documents(session, numbers)
        present = {document.id for document in documents}
        self._indexes.remove([key_of(source.kind, number) for number in numbers if number not in present])
        if documents:
            self._indexes.put(documents, self._vectors_of(session, source, documents))

    def _vectors_of(self, session: Session, source: Source, documents: Sequence[Document]) -> Vector:
        known = source.stored_vectors(session, documents, self._fingerprint)
        missing = [document for document in documents if document.id not in known]
        if missing:
            computed = self._encode([document.passage for document in missing])
            new = {document.id: (document, vector) for document, vector in zip(missing, computed, strict=True)}
            with self._database.write() as writing:
                source.store_vectors(writing, new, self._fingerprint)
            known |= {number: vector for number, (_, vector) in new.items()}
        return np.stack([known[document.id] for document in documents])

    def _reset(self) -> None:
        self._indexes = Indexes(FaissIndex(self._dimension), LexicalIndex(), FacetIndex())
        self._seen = {source.kind: 0 for source in SOURCES}


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), LOAD_CHUNK):
        yield numbers[start : start + LOAD_CHUNK]
