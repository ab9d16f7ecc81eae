"""``POST /v1/search``."""

import asyncio
import time
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nlp_service.api.deps import PROBLEMS, EngineDep, SearchDep
from nlp_service.api.fields import ONE_OR_MORE, Request, Text
from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.search import Filters, Hit, Mode
from nlp_service.storage.tables import ArticleStatus

router = APIRouter(tags=["search"])
MAX_HITS = 100
Value = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SearchFilters(Request):
    """Conditions that every hit meets; a condition holds with any of its values (a value or a list of them)."""

    product: Annotated[list[Value], ONE_OR_MORE, Field(min_length=1, max_length=50)] | None = None
    tags: Annotated[list[Value], ONE_OR_MORE, Field(min_length=1, max_length=50)] | None = None
    status: Annotated[list[ArticleStatus], ONE_OR_MORE, Field(min_length=1, max_length=5)] | None = None
    kind: Annotated[list[Literal["article", "case"]], ONE_OR_MORE, Field(min_length=1)] | None = None


class SearchRequest(Request):
    """A question in the user's words."""

    query: Text
    top_k: Annotated[int, Field(ge=1, le=MAX_HITS)] = 10
    mode: Mode = "hybrid"
    filters: SearchFilters = SearchFilters()

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "网课声音卡顿", "top_k": 3}]})


class Highlight(BaseModel):
    """A sentence of the article with the places [start, end) of matched terms, in characters."""

    field: str
    text: str
    spans: list[tuple[int, int]]


class SearchHit(BaseModel):
    """An article that may answer the question, the best first."""

    id: int
    kind: Literal["article", "case"] = "article"
    title: str
    problem: str
    scenario: str
    solution: str
    product: str | None
    tags: list[str]
    status: ArticleStatus
    score: Annotated[float, Field(description="hybrid: 0…1 from the ranks; dense: cosine; lexical: BM25")]
    highlights: list[Highlight]


class SearchResponse(BaseModel):
    """Hits, the best first."""

    hits: list[SearchHit]
    took_ms: float


@router.post("/v1/search", responses=PROBLEMS)
async def search(request: SearchRequest, engine: EngineDep, knowledge: SearchDep) -> SearchResponse:
    """检索知识库 · how was this solved before."""
    started = time.perf_counter()
    vector = None
    if request.mode != "lexical":
        future = engine.encode_query(request.query)
        vector = normalise(await asyncio.wrap_future(future))
    hits = await asyncio.to_thread(
        knowledge.search,
        request.query,
        vector,
        top_k=request.top_k,
        mode=request.mode,
        filters=_filters(request.filters),
    )
    return SearchResponse(hits=[public(hit) for hit in hits], took_ms=round((time.perf_counter() - started) * 1000, 2))


def public(hit: Hit) -> SearchHit:
    """The hit as it is answered."""
    article = hit.article
    return SearchHit(
        id=article.id,
        title=article.title,
        problem=article.problem,
        scenario=article.scenario,
        solution=article.solution,
        product=article.product,
        tags=article.tags,
        status=article.status,
        score=round(hit.score, 6),
        highlights=[Highlight(field=part.field, text=part.text, spans=part.spans) for part in hit.highlights],
    )


def _filters(given: SearchFilters) -> Filters:
    def values(name: str) -> frozenset[str] | None:
        chosen = getattr(given, name)
        return None if chosen is None else frozenset(chosen)

    return Filters(values("product"), values("tags"), values("status"), values("kind"))
