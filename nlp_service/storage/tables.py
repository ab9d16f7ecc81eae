"""Tables."""

from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKey, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ArticleStatus = Literal["draft", "in_review", "published", "rejected", "archived"]
STATUSES = get_args(ArticleStatus)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return `value` in UTC."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Table(DeclarativeBase):
    """Base of all tables."""


class Article(Table):
    """A knowledge article: problem, scenario, solution."""

    __tablename__ = "articles"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="articles_status"),
        {"sqlite_autoincrement": True},  # an id is never used twice
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
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


class ArticleVector(Table):
    """The vector of an article, so that no process computes it twice."""

    __tablename__ = "article_vectors"

    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True)
    encoder: Mapped[str] = mapped_column(String(64))
    """Fingerprint of the encoder; a vector of another one is computed again."""
    content: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the text that was encoded."""
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """Normalised, float32, little-endian."""


class ArticleChange(Table):
    """One line for each change of an article, in order; every process follows it to keep its indexes current."""

    __tablename__ = "article_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True)
    article_id: Mapped[int] = mapped_column(Integer)
