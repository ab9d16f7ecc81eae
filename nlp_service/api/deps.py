"""What handlers need, by name."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore


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


def _search(request: Request) -> KnowledgeSearch:
    search: KnowledgeSearch = request.app.state.search
    return search


EngineDep = Annotated[Engine, Depends(_engine)]
"""The engine that answers this request, whatever is loaded meanwhile."""
LiveEngineDep = Annotated[LiveEngine, Depends(_live)]
StoreDep = Annotated[ArticleStore, Depends(_store)]
SearchDep = Annotated[KnowledgeSearch, Depends(_search)]

PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "not JSON", **PROBLEM},
    413: {"description": "body over the limit", **PROBLEM},
    415: {"description": "wrong content type", **PROBLEM},
    422: {"description": "a field breaks a rule; `errors` names it", **PROBLEM},
    429: {"description": "queue full; see Retry-After", **PROBLEM},
}
