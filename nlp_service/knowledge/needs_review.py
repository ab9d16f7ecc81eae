"""Published articles that somebody should look at: they do not help, or nobody has confirmed them for long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Float, Subquery, and_, case, cast, func, or_, select

from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.knowledge.lookup import find_article
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, ArticleVote

Concern = Literal["unhelpful", "stale"]
MIN_VOTES = 3
"""Fewer votes say nothing."""


@dataclass(frozen=True)
class Concerning:
    """An article with what speaks against it; `confirmed_at`: its last change or helpful vote, the later one."""

    article: Article
    reasons: Sequence[Concern]
    confirmed_at: datetime


class NeedsReview:
    """Finds the articles. Stale is one that was neither changed nor found helpful for `stale_days` days."""

    def __init__(self, database: Database, stale_days: int, clock: Clock = utc_now) -> None:
        self._database = database
        self._stale_after = timedelta(days=stale_days)
        self._clock = clock

    def worst(self, limit: int = 20) -> list[Concerning]:
        """The worst first: by the share of unhelpful votes, then by their number, then the longest unconfirmed.

        Articles that are only stale come behind all that are unhelpful.
        """
        votes = _votes_of_articles()
        helpful, unhelpful = func.coalesce(votes.c.helpful, 0), func.coalesce(votes.c.unhelpful, 0)
        fails = and_(helpful + unhelpful >= MIN_VOTES, unhelpful > helpful)
        confirmed_at = case((votes.c.confirmed_at > Article.updated_at, votes.c.confirmed_at), else_=Article.updated_at)
        stale = confirmed_at <= self._clock() - self._stale_after
        query = (
            select(Article.id, fails, stale, confirmed_at)
            .outerjoin(votes, votes.c.article_id == Article.id)
            .where(Article.status == "published", or_(fails, stale))
            .order_by(
                case((fails, cast(unhelpful, Float) / (helpful + unhelpful)), else_=0.0).desc(),
                case((fails, unhelpful), else_=0).desc(),
                confirmed_at,
                Article.id,
            )
            .limit(limit)
        )
        with self._database.read() as session:
            return [
                Concerning(find_article(session, key), _reasons(unhelpful=is_unhelpful, stale=is_stale), confirmed)
                for key, is_unhelpful, is_stale, confirmed in session.execute(query).all()
            ]


def _votes_of_articles() -> Subquery:
    """Of each article with votes: how many are helpful and unhelpful, and when the last helpful one was given."""
    return (
        select(
            ArticleVote.article_id,
            func.count().filter(ArticleVote.helpful).label("helpful"),
            func.count().filter(~ArticleVote.helpful).label("unhelpful"),
            func.max(ArticleVote.at).filter(ArticleVote.helpful).label("confirmed_at"),
        )
        .group_by(ArticleVote.article_id)
        .subquery()
    )


def _reasons(*, unhelpful: bool, stale: bool) -> list[Concern]:
    found: dict[Concern, bool] = {"unhelpful": unhelpful, "stale": stale}
    return [concern for concern, holds in found.items() if holds]
