"""What handlers need, by name."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from nlp_service.feedback.drafts import TicketDrafts
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine
from nlp_service.knowledge.needs_review import NeedsReview
from nlp_service.knowledge.points import Points
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow


class ModelInfo(BaseModel):
    """Which model answered."""

    name: str
    version: str


async def _engine(request: Request) -> AsyncIterator[Engine]:
    live: LiveEngine = request.app.state.live
    with live.lease() as engine:
        yield engine


def _live(request: Request) -> LiveEngine:
    live: LiveEngine = request.app.state.live
    return live


def _store(request: Request) -> ArticleStore:
    store: ArticleStore = request.app.state.store
    return store


def _workflow(request: Request) -> ReviewWorkflow:
    workflow: ReviewWorkflow = request.app.state.workflow
    return workflow


def _votes(request: Request) -> ArticleVotes:
    votes: ArticleVotes = request.app.state.votes
    return votes


def _points(request: Request) -> Points:
    points: Points = request.app.state.points
    return points


def _needs_review(request: Request) -> NeedsReview:
    needs_review: NeedsReview = request.app.state.needs_review
    return needs_review


def _feedback(request: Request) -> FeedbackStore:
    feedback: FeedbackStore = request.app.state.feedback
    return feedback


def _drafts(request: Request) -> TicketDrafts:
    drafts: TicketDrafts = request.app.state.drafts
    return drafts


def _search(request: Request) -> KnowledgeSearch:
    search: KnowledgeSearch = request.app.state.search
    return search


EngineDep = Annotated[Engine, Depends(_engine)]
"""The engine that answers this request, whatever is loaded meanwhile."""
LiveEngineDep = Annotated[LiveEngine, Depends(_live)]
StoreDep = Annotated[ArticleStore, Depends(_store)]
SearchDep = Annotated[KnowledgeSearch, Depends(_search)]
WorkflowDep = Annotated[ReviewWorkflow, Depends(_workflow)]
VotesDep = Annotated[ArticleVotes, Depends(_votes)]
PointsDep = Annotated[Points, Depends(_points)]
FeedbackDep = Annotated[FeedbackStore, Depends(_feedback)]
DraftsDep = Annotated[TicketDrafts, Depends(_drafts)]
NeedsReviewDep = Annotated[NeedsReview, Depends(_needs_review)]

PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "not JSON", **PROBLEM},
    413: {"description": "body over the limit", **PROBLEM},
    415: {"description": "wrong content type", **PROBLEM},
    422: {"description": "a field breaks a rule; `errors` names it", **PROBLEM},
    429: {"description": "queue full; see Retry-After", **PROBLEM},
}
