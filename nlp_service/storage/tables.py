"""Tables."""

import secrets
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    ScalarSelect,
    String,
    Text,
    TypeDecorator,
    func,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, column_property, mapped_column

from nlp_service.storage.statuses import STATUSES

ReviewAction = Literal["submit", "approve", "reject", "archive", "unarchive"]
FeedbackKind = Literal["ticket", "review"]
FeedbackStatus = Literal["open", "solved"]
DECISIONS: tuple[ReviewAction, ...] = ("approve", "reject")
VersionAction = Literal["existing", "create", "update", "import", "restore"]
"""What made a version; `existing` is what stood in the database before versions were kept."""
NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""64 bits in every database: SQLite counts on by itself in INTEGER columns alone, which have as many."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn a moment of another zone into UTC before SQLite forgets the zone."""
        return value.astimezone(UTC) if value is not None and value.tzinfo is not None else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return `value` in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables."""


class ArticleEvent(Table):
    """A step of an article's review: who did what, when and why."""

    __tablename__ = "article_events"
    __table_args__ = ({"sqlite_autoincrement": True},)  # the order of the numbers is the order of the steps

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(String(20))
    by: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ArticleVote(Table):
    """Whether an article helped a person; the last answer of each person counts."""

    __tablename__ = "article_votes"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    by: Mapped[str] = mapped_column(String(100), primary_key=True)
    helpful: Mapped[bool] = mapped_column()
    at: Mapped[datetime] = mapped_column(UtcDateTime)


_ARTICLE_ID: Mapped[int] = mapped_column(NUMBER, primary_key=True)


def _of_last(column: InstrumentedAttribute[Any], *actions: ReviewAction) -> ScalarSelect[Any]:
    """`column` of the article's last event that is one of `actions`; null when there is none."""
    last = select(column).where(ArticleEvent.article_id == _ARTICLE_ID, ArticleEvent.action.in_(actions))
    return last.order_by(ArticleEvent.id.desc()).limit(1).correlate_except(ArticleEvent).scalar_subquery()


def _votes(*, helpful: bool) -> ScalarSelect[int]:
    """How many people found the article helpful, or not."""
    votes = select(func.count()).where(ArticleVote.article_id == _ARTICLE_ID, ArticleVote.helpful.is_(helpful))
    return votes.correlate_except(ArticleVote).scalar_subquery()


class Article(Table):
    """A knowledge article: problem, scenario, solution. What is known from its events and votes is read with it."""

    __tablename__ = "articles"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="articles_status"),
        {"sqlite_autoincrement": True},  # an id is never used twice
    )

    id: Mapped[int] = _ARTICLE_ID
    external_id: Mapped[str | None] = mapped_column(String(200), unique=True)
    title: Mapped[str] = mapped_column(Text)
    problem: Mapped[str] = mapped_column(Text)
    scenario: Mapped[str] = mapped_column(Text)
    solution: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(JSON)
    product: Mapped[str | None] = mapped_column(String(200), index=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Kept when the article is written, so that it can be read after its session ended; refresh it where they change.
    contributor: Mapped[str | None] = column_property(_of_last(ArticleEvent.by, "submit"), expire_on_flush=False)
    reviewer: Mapped[str | None] = column_property(_of_last(ArticleEvent.by, *DECISIONS), expire_on_flush=False)
    review_reason: Mapped[str | None] = column_property(
        _of_last(ArticleEvent.reason, *DECISIONS), expire_on_flush=False
    )
    helpful: Mapped[int] = column_property(_votes(helpful=True), expire_on_flush=False)
    unhelpful: Mapped[int] = column_property(_votes(helpful=False), expire_on_flush=False)


class ArticleVersion(Table):
    """The content of an article as it was after a change; numbered from 1."""

    __tablename__ = "article_versions"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    problem: Mapped[str] = mapped_column(Text)
    scenario: Mapped[str] = mapped_column(Text)
    solution: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(JSON)
    product: Mapped[str | None] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(20))
    by: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class _Vector:
    """The vector of a record by one encoder, so that no process computes it twice."""

    encoder: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Fingerprint. While a new encoder takes over, a record has a vector of each."""
    content: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the text that was encoded."""
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """Normalised, float32, little-endian."""


class _Change:
    """One line for each change of a record, in order; every process follows it to keep its indexes current."""

    sequence: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    record_id: Mapped[int] = mapped_column(NUMBER)
    mark: Mapped[int | None] = mapped_column(BigInteger, default=lambda: secrets.randbits(63))
    """At random: a change of the same number in another database, or in a restored one, has another."""


class SearchEncoder(Table):
    """An encoder of which vectors may be stored, and when a process last served with it or built its index."""

    __tablename__ = "search_encoders"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ArticleVector(_Vector, Table):
    """The vector of an article."""

    __tablename__ = "article_vectors"

    record_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)


class ArticleChange(_Change, Table):
    """A change of an article."""

    __tablename__ = "article_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)


class Feedback(Table):
    """A ticket or review that was taken in; a solved ticket is a case that search finds. Its text is masked."""

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint(f"kind IN {get_args(FeedbackKind)}", name="feedback_kind"),
        CheckConstraint(f"status IN {get_args(FeedbackStatus)}", name="feedback_status"),
        {"sqlite_autoincrement": True},  # an id is never used twice
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    external_id: Mapped[str | None] = mapped_column(String(200), unique=True)
    customer_id: Mapped[str | None] = mapped_column(String(200), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    product: Mapped[str | None] = mapped_column(String(200), index=True)
    module: Mapped[str | None] = mapped_column(String(200))
    scenario: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(JSON)
    reported_as: Mapped[str | None] = mapped_column(String(200))
    rating: Mapped[int | None] = mapped_column()
    label: Mapped[str] = mapped_column(String(200), index=True)
    """As the model answered when it was taken in, like confidence, severity and sentiment."""
    confidence: Mapped[float] = mapped_column(Double)
    severity: Mapped[str] = mapped_column(String(200))
    sentiment: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """When the customer wrote it."""
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(20), index=True)
    solution: Mapped[str | None] = mapped_column(Text)
    solved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    draft_id: Mapped[int | None] = mapped_column(ForeignKey("articles.id", ondelete="SET NULL"))
    """The article that was drafted from it."""


class FeedbackVector(_Vector, Table):
    """The vector of a ticket; reviews have none."""

    __tablename__ = "feedback_vectors"

    record_id: Mapped[int] = mapped_column(ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True)


class FeedbackChange(_Change, Table):
    """A change of a ticket."""

    __tablename__ = "feedback_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)
