"""Points for contributing and reviewing articles, counted anew from events and votes whenever they are asked for.

Each thing counts once, when it was done first, so that what a person had at the end of a month never changes later:
- an article that was approved, for who had submitted it before its first approval;
- an article that was approved or rejected, for each person who did so;
- a person whom an approved article helps, for its contributor; one's own vote earns nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, SelectBase, Subquery, func, literal, select, union_all
from sqlalchemy.orm import aliased

from nlp_service.storage.database import Database
from nlp_service.storage.tables import DECISIONS, ArticleEvent, ArticleVote

BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PointAmounts:
    """Points for one of each."""

    approved: int
    review: int
    helpful: int


@dataclass(frozen=True)
class Standing:
    """What a person did, and the points for it."""

    by: str
    points: int
    approved: int
    reviews: int
    helpful: int


class Points:
    """Counts points."""

    def __init__(self, database: Database, amounts: PointAmounts) -> None:
        self._database = database
        self._amounts = amounts

    def leaderboard(self, *, since: datetime = BEGINNING, limit: int = 10) -> list[Standing]:
        """The people with the most points for what was done at `since` or later; `since` must have a time zone."""
        gains = union_all(_approved(since), _reviews(since), _helpful(since)).subquery()

        def count(kind: str) -> ColumnElement[int]:
            return func.count().filter(gains.c.kind == kind)

        approved, reviews, helpful = count("approved"), count("reviews"), count("helpful")
        amounts = self._amounts
        points = approved * amounts.approved + reviews * amounts.review + helpful * amounts.helpful
        query = (
            select(gains.c.by, points, approved, reviews, helpful)
            .where(gains.c.by.is_not(None))
            .group_by(gains.c.by)
            .order_by(points.desc(), approved.desc(), gains.c.by)
            .limit(limit)
        )
        with self._database.read() as session:
            return [Standing(*row) for row in session.execute(query)]


def _contributions() -> Subquery:
    """Of each approved article: its number, who had submitted it before its first approval (or null), and when."""
    first = select(func.min(ArticleEvent.id)).where(ArticleEvent.action == "approve").group_by(ArticleEvent.article_id)
    approval, submission = aliased(ArticleEvent), aliased(ArticleEvent)
    contributor = (
        select(submission.by)
        .where(
            submission.article_id == approval.article_id,
            submission.action == "submit",
            submission.id < approval.id,
        )
        .order_by(submission.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(approval.article_id, contributor.label("by"), approval.at).where(approval.id.in_(first)).subquery()


def _approved(since: datetime) -> SelectBase:
    contributions = _contributions()
    return select(contributions.c.by, literal("approved").label("kind")).where(contributions.c.at >= since)


def _reviews(since: datetime) -> SelectBase:
    return (
        select(ArticleEvent.by, literal("reviews").label("kind"))
        .where(ArticleEvent.action.in_(DECISIONS))
        .group_by(ArticleEvent.article_id, ArticleEvent.by)
        .having(func.min(ArticleEvent.at) >= since)
    )


def _helpful(since: datetime) -> SelectBase:
    contributions = _contributions()
    return (
        select(contributions.c.by, literal("helpful").label("kind"))
        .join(ArticleVote, ArticleVote.article_id == contributions.c.article_id)
        .where(ArticleVote.helpful, ArticleVote.by != contributions.c.by, ArticleVote.at >= since)
    )
