"""Hybrid search over the articles, kept current with the database.

The database is the truth. Each process holds a vector index and a lexical index of its own, and before every search it
follows the sequence of changes; so a search sees every change that was committed before it began, in any process.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nlp_service.knowledge.article import content_hash, passage
from nlp_service.knowledge.fusion import reciprocal_rank_fusion
from nlp_service.knowledge.highlight import Highlight, highlights
from nlp_service.knowledge.lexical_index import LexicalIndex
from nlp_service.knowledge.store import EncodePassages
from nlp_service.knowledge.vector_index import VectorIndex
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, ArticleChange, ArticleVector
from nlp_service.text.segmentation import terms as segment

Mode = Literal["hybrid", "dense", "lexical"]
CANDIDATES = 100
LOAD_CHUNK = 256


@dataclass(frozen=True)
class Filters:
    """Articles that a search covers: every condition must hold, with any of its values."""

    product: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    status: frozenset[str] | None = None
    kind: frozenset[str] | None = None


@dataclass(frozen=True)
class Hit:
    """An article that was found. `score`: hybrid 0…1 from the ranks, dense the cosine, lexical the BM25 score."""

    article: Article
    score: float
    highlights: list[Highlight]


@dataclass(frozen=True)
class _Facets:
    product: str | None
    tags: frozenset[str]
    status: str

    def match(self, filters: Filters) -> bool:
        return (
            (filters.product is None or self.product in filters.product)
            and (filters.tags is None or bool(self.tags & filters.tags))
            and (filters.status is None or self.status in filters.status)
            and (filters.kind is None or "article" in filters.kind)
        )


class KnowledgeSearch:
    """The indexes of this process. May be used by several threads."""

    def __init__(
        self,
        database: Database,
        encode: EncodePassages,
        encoder_fingerprint: str,
        dimension: int,
        statuses: Sequence[str],
    ) -> None:
        self._database = database
        self._encode = encode
        self._fingerprint = encoder_fingerprint
        self._dimension = dimension
        self._default_statuses = frozenset(statuses)
        self._lock = threading.RLock()
        self._reset()

    def __len__(self) -> int:
        return len(self._facets)

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Build both indexes anew from the database; `progress` gets (done, total)."""
        with self._lock, self._database.read() as session:
            self._reset()
            self._sequence = _last_sequence(session)
            ids = session.scalars(select(Article.id).order_by(Article.id)).all()
            for start in range(0, len(ids), LOAD_CHUNK):
                self._load(session, ids[start : start + LOAD_CHUNK])
                if progress is not None:
                    progress(min(start + LOAD_CHUNK, len(ids)), len(ids))

    def follow(self) -> None:
        """Apply the changes that were committed since the last call."""
        with self._lock, self._database.read() as session:
            last = _last_sequence(session)
            if last == self._sequence:
                return
            changed = session.scalars(
                select(ArticleChange.record_id).where(ArticleChange.sequence > self._sequence).distinct()
            ).all()
            for start in range(0, len(changed), LOAD_CHUNK):
                self._load(session, changed[start : start + LOAD_CHUNK])
            self._sequence = last

    def search(
        self, query: str, vector: NDArray[np.float32] | None, *, top_k: int, mode: Mode, filters: Filters
    ) -> list[Hit]:
        """The best `top_k` articles; `vector` is the query's, needed unless the mode is lexical."""
        query_terms = segment(query)
        self.follow()
        with self._lock:
            allowed = self._allowed(filters)
            depth = max(CANDIDATES, top_k)
            rankings: list[list[tuple[int, float]]] = []
            if mode != "lexical":
                if vector is None:
                    raise ValueError("dense search needs the query's vector")
                rankings.append(self._vectors.search(vector, depth, allowed))
            if mode != "dense":
                rankings.append(self._lexical.search(query_terms, depth, allowed))
        if mode == "hybrid":
            ranked = reciprocal_rank_fusion([[key for key, _ in ranking] for ranking in rankings])
        else:
            ranked = rankings[0]
        return self._hits(ranked[:top_k], query_terms)

    def _hits(self, ranked: Sequence[tuple[int, float]], query_terms: list[str]) -> list[Hit]:
        with self._database.read() as session:
            wanted = [key for key, _ in ranked]
            articles = {
                article.id: article for article in session.scalars(select(Article).where(Article.id.in_(wanted)))
            }
        return [
            Hit(articles[key], score, highlights(_fields(articles[key]), set(query_terms)))
            for key, score in ranked
            if key in articles
        ]

    def _allowed(self, filters: Filters) -> list[int] | None:
        if filters.status is None:
            filters = Filters(filters.product, filters.tags, self._default_statuses, filters.kind)
        allowed = [key for key, facets in self._facets.items() if facets.match(filters)]
        return None if len(allowed) == len(self._facets) else allowed

    def _load(self, session: Session, ids: Sequence[int]) -> None:
        articles = {article.id: article for article in session.scalars(select(Article).where(Article.id.in_(ids)))}
        gone = [key for key in ids if key not in articles]
        self._vectors.remove(gone)
        self._lexical.remove(gone)
        for key in gone:
            self._facets.pop(key, None)
        if not articles:
            return
        self._vectors.put(list(articles), self._vectors_of(session, articles))
        for key, article in articles.items():
            self._lexical.put(
                key, segment("\n".join([*_fields(article).values(), *article.tags, article.product or ""]))
            )
            self._facets[key] = _Facets(article.product, frozenset(article.tags), article.status)

    def _vectors_of(self, session: Session, articles: dict[int, Article]) -> NDArray[np.float32]:
        texts = {key: passage(a.title, a.problem, a.scenario) for key, a in articles.items()}
        rows = session.scalars(select(ArticleVector).where(ArticleVector.record_id.in_(list(articles))))
        known = {
            row.article_id: np.frombuffer(row.vector, "<f4")
            for row in rows
            if row.encoder == self._fingerprint and row.content == content_hash(texts[row.article_id])
        }
        missing = [key for key in articles if key not in known]
        if missing:
            known.update(zip(missing, self._encode([texts[key] for key in missing]), strict=True))
            self._keep({key: known[key] for key in missing}, texts)
        return np.stack([known[key] for key in articles])

    def _keep(self, vectors: dict[int, NDArray[np.float32]], texts: dict[int, str]) -> None:
        """Store vectors that had to be computed, so that the next start has them; skip articles that are gone."""
        with self._database.write() as session:
            present = set(session.scalars(select(Article.id).where(Article.id.in_(list(vectors)))))
            for key in present:
                blob = vectors[key].astype("<f4").tobytes()
                content = content_hash(texts[key])
                session.merge(ArticleVector(record_id=key, encoder=self._fingerprint, content=content, vector=blob))

    def _reset(self) -> None:
        self._vectors = VectorIndex(self._dimension)
        self._lexical = LexicalIndex()
        self._facets: dict[int, _Facets] = {}
        self._sequence = 0


def _last_sequence(session: Session) -> int:
    return session.scalar(select(func.max(ArticleChange.sequence))) or 0


def _fields(article: Article) -> dict[str, str]:
    return {
        "title": article.title,
        "problem": article.problem,
        "scenario": article.scenario,
        "solution": article.solution,
    }
