"""``/v1/knowledge``: articles."""

from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from nlp_service.access.audit import about
from nlp_service.api import transfer
from nlp_service.api.deps import PROBLEM, PROBLEMS, AuthorDep, StoreDep
from nlp_service.api.transfer import Text
from nlp_service.knowledge.article import ArticleCreate, ArticlePublic, ArticleUpdate
from nlp_service.storage.statuses import ArticleStatus
from nlp_service.storage.tables import Article

router = transfer.router
"""The same as for import and export, which come first: /export would else be read as the number of an article."""
IMPORT_PATH = "/v1/knowledge/import"
MAX_ID = 2**63 - 1
ArticleId = Annotated[int, Path(ge=1, le=MAX_ID)]
INVALID: dict[int | str, dict[str, Any]] = {422: PROBLEMS[422]}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "no such article", **PROBLEM}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "external_id is taken", **PROBLEM}}


class ArticlePage(BaseModel):
    """A page of articles, the newest first."""

    total: int
    articles: list[ArticlePublic]


class ListQuery(BaseModel):
    """Which articles, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    status: ArticleStatus | None = None
    product: Text | None = None
    tag: Text | None = None
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@router.post("", status_code=201, responses=PROBLEMS | CONFLICT)
def create(new: ArticleCreate, store: StoreDep, author: AuthorDep, response: Response) -> ArticlePublic:
    """新建文章 · create an article; it is found by the next search."""
    article = ArticlePublic.model_validate(store.create(new, author=author, link=_audited))
    response.headers["Location"] = f"/v1/knowledge/{article.id}"
    return article


@router.get("", responses=INVALID)
def list_articles(query: Annotated[ListQuery, Query()], store: StoreDep) -> ArticlePage:
    """列出文章 · list articles, the newest first."""
    articles, total = store.page(
        status=query.status, product=query.product, tag=query.tag, offset=query.offset, limit=query.limit
    )
    return ArticlePage(total=total, articles=[ArticlePublic.model_validate(article) for article in articles])


@router.get("/{article_id}", responses=INVALID | NOT_FOUND)
def read(article_id: ArticleId, store: StoreDep) -> ArticlePublic:
    """查看文章 · read an article."""
    return ArticlePublic.model_validate(store.get(article_id))


@router.patch("/{article_id}", responses=PROBLEMS | NOT_FOUND | CONFLICT)
def update(article_id: ArticleId, changes: ArticleUpdate, store: StoreDep, author: AuthorDep) -> ArticlePublic:
    """修改文章 · change some fields of an article."""
    return ArticlePublic.model_validate(store.update(article_id, changes, author=author))


@router.delete("/{article_id}", status_code=204, responses=INVALID | NOT_FOUND)
def delete(article_id: ArticleId, store: StoreDep) -> None:
    """删除文章 · delete an article."""
    store.delete(article_id)


def _audited(_: Session, article: Article) -> None:
    about(article.id)
