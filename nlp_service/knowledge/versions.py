"""Versions: the content of an article as it was after each change."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nlp_service.errors import NotFound
from nlp_service.knowledge.lookup import find_article
from nlp_service.storage.tables import Article, ArticleVersion, VersionAction

CONTENT = ("title", "problem", "scenario", "solution", "tags", "product")
"""What a version keeps. The status belongs to the review, the external id to the system that the article is from."""


def keep_version(
    session: Session,
    article: Article,
    action: VersionAction,
    *,
    by: str | None = None,
    reason: str | None = None,
    is_new: bool = False,
) -> None:
    """Keep the article's content, dated by its last change, as the next version, unless the last one holds the same.

    `article` must have its number, so flush a new one before. Of one that `is_new` no version is looked for.
    """
    last = None if is_new else _last_version(session, article.id)
    content = content_of(article)
    if last is not None and content_of(last) == content:
        return
    session.add(
        ArticleVersion(
            article_id=article.id,
            number=1 if last is None else last.number + 1,
            action=action,
            by=by,
            reason=reason,
            at=article.updated_at,
            **content,
        )
    )


def _last_version(session: Session, article_id: int) -> ArticleVersion | None:
    return session.scalar(
        select(ArticleVersion)
        .where(ArticleVersion.article_id == article_id)
        .order_by(ArticleVersion.number.desc())
        .limit(1)
    )


def content_of(holder: Article | ArticleVersion) -> dict[str, Any]:
    """The content fields with their values."""
    return {name: getattr(holder, name) for name in CONTENT}


def find_version(session: Session, article_id: int, number: int) -> ArticleVersion:
    """The version; raises NotFound when there is no such article or no such version of it."""
    find_article(session, article_id)
    version = session.get(ArticleVersion, (article_id, number))
    if version is None:
        raise NotFound(f"文章 {article_id} 没有第 {number} 版 · article {article_id} has no version {number}")
    return version


def version_page(session: Session, article_id: int, *, offset: int, limit: int) -> tuple[list[ArticleVersion], int]:
    """A page of an article's versions, the newest first, and how many there are in all; raises NotFound."""
    find_article(session, article_id)
    of_article = ArticleVersion.article_id == article_id
    total = session.scalar(select(func.count()).select_from(ArticleVersion).where(of_article)) or 0
    newest_first = select(ArticleVersion).where(of_article).order_by(ArticleVersion.number.desc())
    return list(session.scalars(newest_first.offset(offset).limit(limit))), total
