"""Articles in the database.

Every change is written with its vector, a version of the content and a line in the sequence of changes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nlp_service.errors import Conflict
from nlp_service.knowledge.article import ArticleCreate, ArticleUpdate, content_hash, passage
from nlp_service.knowledge.author import ANYBODY, Author
from nlp_service.knowledge.lookup import find_article
from nlp_service.knowledge.versions import content_of, find_version, keep_version, version_page
from nlp_service.storage.database import Database
from nlp_service.storage.json_list import contains
from nlp_service.storage.statuses import ArticleStatus
from nlp_service.storage.tables import Article, ArticleChange, ArticleVector, ArticleVersion, VersionAction

EncodePassages = Callable[[Sequence[str]], NDArray[np.float32]]
"""Normalised vectors of the texts, shape (texts, dimension)."""
Link = Callable[[Session, Article], None]
"""Notes, in the transaction that stores an article, where else it belongs."""


Value = TypeVar("Value")
TAKEN = "external_id 已被占用 · external_id is already taken by another article"
NAMES_IN_A_QUERY = 500


@dataclass
class ImportCounts:
    """What an import did."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


class ArticleStore:
    """Create, read, list, update, restore, delete and import articles."""

    def __init__(self, database: Database, encode: EncodePassages, encoder_fingerprint: str) -> None:
        self._database = database
        self._encode = encode
        self._fingerprint = encoder_fingerprint

    def create(self, new: ArticleCreate, *, author: Author = ANYBODY, link: Link | None = None) -> Article:
        """Store a new article; raises Conflict when its external id is taken, Forbidden by the author's rights.

        `link` notes the article elsewhere in the same transaction; what it raises undoes all.
        """
        article = _new_article(new)
        author.check(None, article.status)
        vector = self._encode([_passage_of(article)])[0]
        try:
            with self._database.write() as session:
                session.add(article)
                session.flush()
                self._write_vector(session, article, vector)
                keep_version(session, article, "create", by=author.name)
                session.add(ArticleChange(record_id=article.id))
                if link is not None:
                    link(session, article)
                session.refresh(article)
        except IntegrityError as error:
            raise Conflict(TAKEN) from error
        return article

    def get(self, article_id: int) -> Article:
        """The article; raises NotFound."""
        with self._database.read() as session:
            return find_article(session, article_id)

    def known_external_ids(self, wanted: Collection[str]) -> set[str]:
        """Those of `wanted` that an article has."""
        found: set[str | None] = set()
        with self._database.read() as session:
            for some in _few(list(wanted)):
                found.update(session.scalars(select(Article.external_id).where(Article.external_id.in_(some))))
        return {name for name in found if name is not None}

    def page(
        self,
        *,
        status: ArticleStatus | None = None,
        product: str | None = None,
        tag: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Article], int]:
        """A page of articles, the newest first, and how many there are in all."""
        query = select(Article)
        if status is not None:
            query = query.where(Article.status == status)
        if product is not None:
            query = query.where(Article.product == product)
        if tag is not None:
            query = query.where(contains(Article.tags, tag))
        with self._database.read() as session:
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            articles = session.scalars(query.order_by(Article.id.desc()).offset(offset).limit(limit)).all()
            return list(articles), total

    def update(self, article_id: int, changes: ArticleUpdate, *, author: Author = ANYBODY) -> Article:
        """Change some fields; raises NotFound, Conflict when the new external id is taken, Forbidden by the rights."""
        return self._change(article_id, changes.model_dump(exclude_unset=True), "update", author)

    def versions(self, article_id: int, *, offset: int = 0, limit: int = 50) -> tuple[list[ArticleVersion], int]:
        """A page of an article's versions, the newest first, and how many there are in all; raises NotFound."""
        with self._database.read() as session:
            return version_page(session, article_id, offset=offset, limit=limit)

    def restore(self, article_id: int, number: int, *, author: Author, reason: str | None = None) -> Article:
        """Make the content of a version current again, as a new version; status and external id stay.

        Content that is current already stays without a new version. Raises NotFound, and Forbidden by the rights.
        """
        with self._database.read() as session:
            values = content_of(find_version(session, article_id, number))
        return self._change(article_id, values, "restore", author, reason=reason)

    def _change(
        self,
        article_id: int,
        values: dict[str, Any],
        action: VersionAction,
        author: Author,
        *,
        reason: str | None = None,
    ) -> Article:
        with self._database.read() as session:
            preview = find_article(session, article_id)
            session.expunge(preview)
        before = _passage_of(preview)
        _apply(preview, values)
        after = _passage_of(preview)
        vector = self._encode([after])[0] if after != before else None
        try:
            with self._database.write() as session:
                article = find_article(session, article_id, lock=True)
                status = article.status
                if _apply(article, values):
                    author.check(status, article.status)
                    article.updated_at = datetime.now(UTC)
                    untouched = _passage_of(article) == after  # nobody else changed it meanwhile
                    self._write_vector(session, article, vector if untouched else None)
                    keep_version(session, article, action, by=author.name, reason=reason)
                    session.add(ArticleChange(record_id=article.id))
        except IntegrityError as error:
            raise Conflict(TAKEN) from error
        return article

    def delete(self, article_id: int) -> None:
        """Remove an article with its vector, versions, events and votes; raises NotFound."""
        with self._database.write() as session:
            session.delete(find_article(session, article_id))
            session.add(ArticleChange(record_id=article_id))

    def import_articles(self, new: Sequence[ArticleCreate], *, author: Author = ANYBODY) -> ImportCounts:
        """Create articles, or update those whose external id is known; all or none. Twice the same changes nothing.

        When an external id occurs more than once, the last article with it counts. Raises Forbidden by the rights.
        """
        vectors = self._vectors_of(new)
        counts = ImportCounts()
        with self._database.write() as session:
            known, changed = _known(session, new), dict[Article, bool]()
            for item in new:
                article = known.get(item.external_id)
                status, is_new = (None, True) if article is None else (article.status, False)
                if article in changed:  # each of its contents is a version
                    self._keep(session, changed, vectors, author)
                    changed.clear()
                if article is None:
                    article = _new_article(item)
                    session.add(article)
                    known |= {} if item.external_id is None else {item.external_id: article}
                    counts.created += 1
                elif _apply(article, item.model_dump(exclude_unset=True)):
                    article.updated_at = datetime.now(UTC)
                    counts.updated += 1
                else:
                    counts.unchanged += 1
                    continue
                author.check(status, article.status)
                changed[article] = is_new
            self._keep(session, changed, vectors, author)
        return counts

    def _keep(
        self,
        session: Session,
        changed: Mapping[Article, bool],
        vectors: Mapping[str, NDArray[np.float32]],
        author: Author,
    ) -> None:
        """Write what belongs to articles that were imported; each is new or not."""
        session.flush()
        with session.no_autoflush:  # one article's rows say nothing about another's
            for article, is_new in changed.items():
                self._write_vector(session, article, vectors.get(_passage_of(article)), is_new=is_new)
                keep_version(session, article, "import", by=author.name, is_new=is_new)
                session.add(ArticleChange(record_id=article.id))

    def _vectors_of(self, new: Sequence[ArticleCreate]) -> dict[str, NDArray[np.float32]]:
        """Vectors of the passages that will be stored: known ones from the database, the others computed now."""
        with self._database.read() as session:
            known = _known(session, new)
            session.expunge_all()
            passages = []
            for item in new:
                article = known.get(item.external_id) or _new_article(item)
                _apply(article, item.model_dump(exclude_unset=True))
                passages.append(_passage_of(article))
            hashes = {content_hash(text): text for text in passages}
            vectors = {
                hashes[content]: np.frombuffer(blob, "<f4")
                for some in _few(list(hashes))
                for content, blob in session.execute(
                    select(ArticleVector.content, ArticleVector.vector).where(
                        ArticleVector.encoder == self._fingerprint, ArticleVector.content.in_(some)
                    )
                )
            }
        missing = [text for text in hashes.values() if text not in vectors]
        return vectors | (dict(zip(missing, self._encode(missing), strict=True)) if missing else {})

    def _write_vector(
        self, session: Session, article: Article, vector: NDArray[np.float32] | None, *, is_new: bool = False
    ) -> None:
        """Store the vector of the article's present text; computed now when `vector` is None and none is stored."""
        text = _passage_of(article)
        content = content_hash(text)
        if vector is None:
            stored = session.get(ArticleVector, (article.id, self._fingerprint))
            if stored is not None and stored.content == content:
                return
            vector = self._encode([text])[0]
        blob = vector.astype("<f4").tobytes()
        row = ArticleVector(record_id=article.id, encoder=self._fingerprint, content=content, vector=blob)
        if is_new:
            session.add(row)
        else:
            session.merge(row)


def all_articles(database: Database) -> Iterator[Article]:
    """Every article, in order of id, a few at a time."""
    with database.read() as session:
        yield from session.scalars(select(Article).order_by(Article.id).execution_options(yield_per=200))


def count_articles(database: Database) -> int:
    """How many articles there are."""
    with database.read() as session:
        return session.scalar(select(func.count(Article.id))) or 0


def _known(session: Session, new: Sequence[ArticleCreate]) -> dict[str | None, Article]:
    """The stored articles that have one of these external ids, by it."""
    names = list({item.external_id for item in new} - {None})
    return {
        article.external_id: article
        for some in _few(names)
        for article in session.scalars(select(Article).where(Article.external_id.in_(some)))
    }


def _few(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """The values in parts that a query takes."""
    for start in range(0, len(values), NAMES_IN_A_QUERY):
        yield values[start : start + NAMES_IN_A_QUERY]


def _new_article(new: ArticleCreate) -> Article:
    now = datetime.now(UTC)
    return Article(**new.model_dump(), created_at=now, updated_at=now)


def _apply(article: Article, values: dict[str, Any]) -> bool:
    changed = False
    for name, value in values.items():
        if getattr(article, name) != value:
            setattr(article, name, value)
            changed = True
    return changed


def _passage_of(article: Article) -> str:
    return passage(article.title, article.problem, article.scenario)
