"""What handlers need, by name.

All of it is at hand. As coroutines: FastAPI calls plain functions in threads, and each costs a turn of the loop.
"""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from nlp_service.access.caller import Caller
from nlp_service.api.search_queue import SearchQueue
from nlp_service.feedback.drafts import TicketDrafts
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine
from nlp_service.knowledge.author import Author
from nlp_service.knowledge.duplicates import Duplicates
from nlp_service.knowledge.frequent import FrequentProblems
from nlp_service.knowledge.needs_review import NeedsReview
from nlp_service.knowledge.points import Points
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow


class ModelInfo(BaseModel):
    """Which model answered."""

    name: str
    version: str


async def _engine(request: Request) -> Engine:
    engine: Engine = request.state.engine
    return engine


async def _live(request: Request) -> LiveEngine:
    live: LiveEngine = request.app.state.live
    return live


async def _workflow(request: Request) -> ReviewWorkflow:
    workflow: ReviewWorkflow = request.app.state.workflow
    return workflow


async def _votes(request: Request) -> ArticleVotes:
    votes: ArticleVotes = request.app.state.votes
    return votes


async def _points(request: Request) -> Points:
    points: Points = request.app.state.points
    return points


async def _needs_review(request: Request) -> NeedsReview:
    needs_review: NeedsReview = request.app.state.needs_review
    return needs_review


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _author(caller: Annotated[Caller, Depends(_caller)]) -> Author:
    return author_of(caller, caller.name)


def author_of(caller: Caller, name: str | None) -> Author:
    """The author of this name, with the caller's rights."""
    return Author(name, reviews=caller.may("knowledge:review"))


CallerDep = Annotated[Caller, Depends(_caller)]
"""Who asks, as the middleware found."""
AuthorDep = Annotated[Author, Depends(_author)]
"""Who changes articles: the key's name, or nobody known."""
EngineDep = Annotated[Engine, Depends(_engine)]
"""The engine that answers this request, whatever is loaded meanwhile."""
LiveEngineDep = Annotated[LiveEngine, Depends(_live)]


async def _search(request: Request, engine: EngineDep) -> KnowledgeSearch:
    searches: Searches = request.app.state.searches
    return searches.of(engine)


async def _store(request: Request, engine: EngineDep) -> ArticleStore:
    return ArticleStore(request.app.state.database, engine.encode_passages, engine.search_model.fingerprint)


StoreDep = Annotated[ArticleStore, Depends(_store)]
"""Stores vectors of the request's engine."""
SearchDep = Annotated[KnowledgeSearch, Depends(_search)]
"""Searches among vectors of the request's engine."""


async def _search_queue(request: Request) -> SearchQueue:
    queue: SearchQueue = request.app.state.search_queue
    return queue


SearchQueueDep = Annotated[SearchQueue, Depends(_search_queue)]


async def _feedback(request: Request, engine: EngineDep) -> FeedbackStore:
    state = request.app.state
    return FeedbackStore(state.database, state.analyse, engine.encode_passages, engine.search_model.fingerprint)


async def _duplicates(request: Request, search: SearchDep) -> Duplicates:
    return Duplicates(request.app.state.database, search)


async def _frequent(request: Request, search: SearchDep, engine: EngineDep) -> FrequentProblems:
    labels = engine.heads["classify"].bundle.labels
    return FrequentProblems(request.app.state.database, search, engine.encode_query, labels)


async def _drafts(request: Request, store: StoreDep) -> TicketDrafts:
    return TicketDrafts(request.app.state.database, store)


WorkflowDep = Annotated[ReviewWorkflow, Depends(_workflow)]
VotesDep = Annotated[ArticleVotes, Depends(_votes)]
PointsDep = Annotated[Points, Depends(_points)]
FeedbackDep = Annotated[FeedbackStore, Depends(_feedback)]
DuplicatesDep = Annotated[Duplicates, Depends(_duplicates)]
FrequentDep = Annotated[FrequentProblems, Depends(_frequent)]
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
