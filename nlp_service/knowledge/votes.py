"""Votes: whether an article helped."""

from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.knowledge.lookup import find_article
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, ArticleChange, ArticleVote


class ArticleVotes:
    """Takes votes. May be used by several threads and processes."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def vote(self, article_id: int, *, by: str, helpful: bool) -> Article:
        """Store the person's vote in place of an earlier one; the article has the new counts. Raises NotFound."""
        with self._database.write() as session:
            article = find_article(session, article_id, lock=True)
            session.merge(ArticleVote(article_id=article_id, by=by, helpful=helpful, at=self._clock()))
            session.add(ArticleChange(record_id=article_id))
            session.flush()
            session.refresh(article)
        return article
