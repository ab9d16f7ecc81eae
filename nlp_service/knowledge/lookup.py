"""Finding an article by its number."""

from sqlalchemy.orm import Session

from nlp_service.errors import NotFound
from nlp_service.storage.tables import Article


def find_article(session: Session, article_id: int, *, lock: bool = False) -> Article:
    """The article; raises NotFound.

    With `lock` other writers of this article wait until the transaction ends; SQLite has one writer at a time anyway.
    """
    article = session.get(Article, article_id, with_for_update=lock)
    if article is None:
        raise NotFound(f"没有编号为 {article_id} 的文章 · there is no article {article_id}")
    return article
