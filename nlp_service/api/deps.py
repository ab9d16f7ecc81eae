"""What handlers need, by name."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from nlp_service.inference.encoder import Vectors
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore


class ModelInfo(BaseModel):
    """Which model answered."""

    name: str
    version: str


def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


def _store(request: Request) -> ArticleStore:
    store: ArticleStore = request.app.state.store
    return store


def _search(request: Request) -> KnowledgeSearch:
    search: KnowledgeSearch = request.app.state.search
    return search


EngineDep = Annotated[Engine, Depends(_engine)]
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


async def encode_feedback(engine: Engine, texts: Sequence[str]) -> Vectors:
    """Pooled vectors of the texts, without holding up the event loop."""
    future = await asyncio.get_running_loop().run_in_executor(None, engine.encode_feedback, texts)
    return await asyncio.wrap_future(future)
