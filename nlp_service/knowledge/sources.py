"""Where searchable records come from: tables that each have vectors and a sequence of changes beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.orm import Session

from nlp_service.knowledge.article import content_hash
from nlp_service.knowledge.documents import (
    ARTICLE_COLUMNS,
    CASE_COLUMNS,
    Document,
    article_document,
    case_document,
)
from nlp_service.knowledge.keys import Kind
from nlp_service.storage.tables import (
    Article,
    ArticleChange,
    ArticleVector,
    Feedback,
    FeedbackChange,
    FeedbackVector,
)

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """One kind of record."""

    kind: Kind
    record: type[Article] | type[Feedback]
    change: type[ArticleChange] | type[FeedbackChange]
    vector: type[ArticleVector] | type[FeedbackVector]
    selected: Select[Any]
    """The columns of the records that can be found which their documents need."""
    document: Callable[[Any], Document]

    def numbers(self, session: Session) -> Sequence[int]:
        """Those of all records, ascending."""
        return session.scalars(self.selected.with_only_columns(self.record.id).order_by(self.record.id)).all()

    def mark_of(self, session: Session, sequence: int) -> int | None:
        """The mark of a change, which no other change has; None when there is no such change."""
        return session.scalar(select(self.change.mark).where(self.change.sequence == sequence))

    def changed_after(self, session: Session, sequence: int) -> Sequence[int]:
        """The records of the changes after that one; some may be gone."""
        changed = select(self.change.record_id).where(self.change.sequence > sequence).distinct()
        return session.scalars(changed).all()

    def documents(self, session: Session | Connection, numbers: Sequence[int]) -> list[Document]:
        """Those of the records that exist, in no order."""
        return [self.document(record) for record in session.execute(self._numbered, {"numbers": list(numbers)})]

    @cached_property
    def _numbered(self) -> Select[Any]:
        """Made once: each statement that is made refers to itself, and waits for the garbage collector."""
        return self.selected.where(self.record.__table__.c.id.in_(bindparam("numbers", expanding=True)))

    def stored_vectors(self, session: Session, documents: Sequence[Document], encoder: str) -> dict[int, Vector]:
        """By number, the vectors that are stored of the documents' present texts."""
        hashes = {document.id: content_hash(document.passage) for document in documents}
        table = self.vector
        rows = session.execute(
            select(table.record_id, table.content, table.vector).where(
                table.record_id.in_(list(hashes)), table.encoder == encoder
            )
        )
        return {number: np.frombuffer(blob, "<f4") for number, content, blob in rows if content == hashes[number]}

    def store_vectors(self, session: Session, vectors: dict[int, tuple[Document, Vector]], encoder: str) -> None:
        """Keep vectors that had to be computed, so that the next start has them.

        Records that are gone, or whose text has changed since the document was read, are skipped.
        """
        for present in self.documents(session, list(vectors)):
            document, vector = vectors[present.id]
            if present.passage == document.passage:
                content, blob = content_hash(document.passage), vector.astype("<f4").tobytes()
                session.merge(self.vector(record_id=present.id, encoder=encoder, content=content, vector=blob))


ARTICLES = Source(
    "article",
    Article,
    ArticleChange,
    ArticleVector,
    select(*(Article.__table__.c[name] for name in ARTICLE_COLUMNS)),
    article_document,
)
CASES = Source(
    "case",
    Feedback,
    FeedbackChange,
    FeedbackVector,
    select(*(Feedback.__table__.c[name] for name in CASE_COLUMNS)).where(Feedback.__table__.c.kind == "ticket"),
    case_document,
)
SOURCES: tuple[Source, ...] = (ARTICLES, CASES)
_LAST_CHANGES = select(*(select(func.max(source.change.__table__.c.sequence)).scalar_subquery() for source in SOURCES))


def last_changes(session: Session | Connection) -> dict[Kind, int]:
    """The number of the last change of each kind of record; 0 before the first."""
    found = session.execute(_LAST_CHANGES).one()
    return {source.kind: sequence or 0 for source, sequence in zip(SOURCES, found, strict=True)}
