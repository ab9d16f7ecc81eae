"""``/v1/knowledge``: the review of articles and their versions."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.access.caller import Caller
from nlp_service.api.deps import PROBLEM, PROBLEMS, CallerDep, StoreDep, WorkflowDep, author_of
from nlp_service.api.fields import ByName, Request
from nlp_service.api.knowledge import INVALID, NOT_FOUND, ArticleId
from nlp_service.knowledge.article import ArticlePublic, OptionalReason, Reason
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.storage.tables import ReviewAction, VersionAction

router = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])
MAX_VERSION = 2**31 - 1
VersionNumber = Annotated[int, Path(ge=1, le=MAX_VERSION)]
STATE: dict[int | str, dict[str, Any]] = {409: {"description": "the article's state does not allow it", **PROBLEM}}
OWN: dict[int | str, dict[str, Any]] = {403: {"description": "the contributor may not review", **PROBLEM}}
STEP = PROBLEMS | NOT_FOUND | STATE


class ByPerson(Request):
    """Who does it."""

    by: ByName = None


class Step(ByPerson):
    """Who does it, and perhaps why."""

    reason: Annotated[OptionalReason, Field(description="at most 1,000 characters")] = None


class Rejection(ByPerson):
    """Who rejects the article, and why."""

    reason: Annotated[Reason, Field(description="1 to 1,000 characters")]


class Version(BaseModel):
    """The content of an article as it was after a change."""

    model_config = ConfigDict(from_attributes=True)

    number: Annotated[int, Field(ge=1)]
    title: str
    problem: str
    scenario: str
    solution: str
    tags: list[str]
    product: str | None
    action: VersionAction
    by: str | None
    reason: str | None
    at: datetime


class VersionPage(BaseModel):
    """A page of versions, the newest first."""

    total: int
    versions: list[Version]


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@router.post("/{article_id}/submit", responses=STEP)
def submit(article_id: ArticleId, step: Step, workflow: WorkflowDep, caller: CallerDep) -> ArticlePublic:
    """提交审核 · submit a draft or rejected article for review."""
    return ArticlePublic.model_validate(
        workflow.take("submit", article_id, by=caller.person(step.by), reason=step.reason)
    )


@router.post("/{article_id}/approve", responses=STEP | OWN)
def approve(article_id: ArticleId, step: Step, workflow: WorkflowDep, caller: CallerDep) -> ArticlePublic:
    """批准发布 · approve an article in review; it is published. Its contributor may not."""
    return ArticlePublic.model_validate(
        workflow.take("approve", article_id, by=caller.person(step.by), reason=step.reason)
    )


@router.post("/{article_id}/reject", responses=STEP | OWN)
def reject(article_id: ArticleId, rejection: Rejection, workflow: WorkflowDep, caller: CallerDep) -> ArticlePublic:
    """退回并说明理由 · reject an article in review and say why. Its contributor may not."""
    return _take(workflow, "reject", article_id, caller, rejection)


@router.post("/{article_id}/archive", responses=STEP)
def archive(article_id: ArticleId, step: Step, workflow: WorkflowDep, caller: CallerDep) -> ArticlePublic:
    """归档 · archive a published article."""
    return ArticlePublic.model_validate(
        workflow.take("archive", article_id, by=caller.person(step.by), reason=step.reason)
    )


@router.post("/{article_id}/unarchive", responses=STEP)
def unarchive(article_id: ArticleId, step: Step, workflow: WorkflowDep, caller: CallerDep) -> ArticlePublic:
    """恢复发布 · publish an archived article again."""
    return ArticlePublic.model_validate(
        workflow.take("unarchive", article_id, by=caller.person(step.by), reason=step.reason)
    )


@router.get("/{article_id}/versions", responses=INVALID | NOT_FOUND)
def versions(article_id: ArticleId, query: Annotated[PageQuery, Query()], store: StoreDep) -> VersionPage:
    """历史版本 · the versions of an article, the newest first."""
    found, total = store.versions(article_id, offset=query.offset, limit=query.limit)
    return VersionPage(total=total, versions=[Version.model_validate(version) for version in found])


@router.post("/{article_id}/versions/{number}/restore", responses=PROBLEMS | NOT_FOUND)
def restore(
    article_id: ArticleId, number: VersionNumber, step: Step, store: StoreDep, caller: CallerDep
) -> ArticlePublic:
    """恢复旧版本 · make the content of a version current again, as a new version; the status stays."""
    author = author_of(caller, caller.person(step.by))
    return ArticlePublic.model_validate(store.restore(article_id, number, author=author, reason=step.reason))


def _take(
    workflow: ReviewWorkflow, action: ReviewAction, article_id: int, caller: Caller, step: Step | Rejection
) -> ArticlePublic:
    by = caller.person(step.by)
    return ArticlePublic.model_validate(workflow.take(action, article_id, by=by, reason=step.reason))
