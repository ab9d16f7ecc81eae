"""``POST /v1/search``."""

import asyncio
import time
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from nlp_service.api.awaiting import awaited
from nlp_service.api.deps import PROBLEMS, EngineDep, SearchDep, SearchQueueDep
from nlp_service.api.fields import ONE_OR_MORE, Probability, Request, RequestWithDefaults, Text
from nlp_service.api.reranking import ranked_again, reranker_for
from nlp_service.feedback.moment import Moment
from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.inference.reranker import Reranker
from nlp_service.knowledge.closest import Closest, closest_sentences
from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.keys import Kind
from nlp_service.knowledge.relevance import Mode
from nlp_service.knowledge.search import Answer, Context, Degraded, Hit, KnowledgeSearch, Vector
from nlp_service.observability.metrics import RERANKS, SEARCH_SECONDS, SEARCHES
from nlp_service.observability.tracing import span
from nlp_service.storage.statuses import ArticleStatus

router = APIRouter(tags=["search"])
MAX_HITS = 100
MAX_EXPLAINED_HITS = 10
"""So many hits get their closest sentence: each costs up to 12 encodings."""
Status = Literal[ArticleStatus, "solved"]
NotWhole = Degraded | Literal["not_reranked"]
Value = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Values = Annotated[list[Value], ONE_OR_MORE, Field(min_length=1, max_length=50)]


class SearchFilters(Request):
    """Conditions that every hit meets; a condition holds with any of its values (a value or a list of them)."""

    model_config = ConfigDict(frozen=True)  # so that the default is not copied for every request

    product: Values | None = None
    module: Values | None = None
    scenario: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=2000)]],
            ONE_OR_MORE,
            Field(min_length=1, max_length=50),
        ]
        | None
    ) = None
    tags: Values | None = None
    status: (
        Annotated[
            list[Status], ONE_OR_MORE, Field(min_length=1, max_length=6, description="of articles; cases are solved")
        ]
        | None
    ) = None
    kind: Annotated[list[Kind], ONE_OR_MORE, Field(min_length=1, max_length=2)] | None = None
    since: Annotated[
        Moment | None, Field(strict=False, description="articles changed and cases written from then on")
    ] = None
    until: Annotated[Moment | None, Field(strict=False, description="articles changed and cases written before")] = None

    @model_validator(mode="after")
    def _period_is_not_empty(self) -> "SearchFilters":
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since 须早于 until · since must be before until")
        return self


class SearchRequest(RequestWithDefaults):
    """A question in the user's words."""

    query: Text
    top_k: Annotated[int, Field(ge=1, le=MAX_HITS)] = 10
    mode: Mode = "hybrid"
    filters: SearchFilters = SearchFilters()
    product: Annotated[Value | None, Field(description="the asker's: what belongs to it comes first among equals")] = (
        None
    )
    module: Annotated[Value | None, Field(description="the asker's, likewise")] = None
    min_score: Annotated[Probability, Field(description="leave out what answers with a lower probability")] = 0.0
    rerank: Annotated[
        bool | None,
        Field(
            description="let the reranker read the first hits (NLP_RERANK_TOP) with the query and rank them again; "
            "default: in a hybrid search, where a reranker serves"
        ),
    ] = None
    explain: Annotated[
        bool, Field(description="the most similar sentence of each of the first 10 hits; not in a lexical search")
    ] = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "网课声音卡顿", "top_k": 3, "min_score": 0.2}]})


class Highlight(BaseModel):
    """A sentence of the record with the places [start, end) of matched terms, in characters."""

    field: str
    text: str
    spans: list[tuple[int, int]]


class SimilarSentence(BaseModel):
    """The sentence of the record that is most similar to the query."""

    field: str
    text: str
    similarity: Annotated[float, Field(ge=-1, le=1, description="cosine of both vectors")]


class SearchHit(BaseModel):
    """An article or a solved ticket that may answer the question, the best first."""

    id: int
    kind: Kind
    external_id: str | None
    title: str
    problem: str
    scenario: str
    solution: str
    product: str | None
    module: str | None
    tags: list[str]
    status: Status
    at: Annotated[datetime, Field(description="when an article was last changed, when a case was written")]
    score: Annotated[Probability, Field(description="probability that it answers the query")]
    highlights: list[Highlight]
    closest: SimilarSentence | None = None


_SHOWN = SearchHit.model_fields.keys() & {field.name for field in fields(Document)}


class SearchResponse(BaseModel):
    """Hits, the best first; none when nothing reaches `min_score`."""

    hits: list[SearchHit]
    took_ms: float
    degraded: Annotated[
        NotWhole | None,
        Field(
            description="`rebuilding`: not all records are in the indexes yet; some are found by their words alone. "
            "`not_reranked`: the reranker had no time or failed; the hits are as without it"
        ),
    ] = None


@router.post("/v1/search", responses=PROBLEMS)
async def search(
    request: SearchRequest, engine: EngineDep, knowledge: SearchDep, queue: SearchQueueDep
) -> SearchResponse:
    """检索知识库与已解决工单 · how was this solved before."""
    started = time.perf_counter()
    reranker = reranker_for(engine, request.mode, request.rerank)
    with queue.place() as place:
        encoding = None if request.mode == "lexical" else engine.submit_query(request.query)
        vector = None if encoding is None else normalise(await awaited(encoding))
        vector, answer = await place.run(partial(_find, request, engine, knowledge, vector, reranker, place.arrived))
    hits = answer.hits
    degraded: NotWhole | None = answer.degraded
    if reranker and hits:
        with span("rerank"):
            ranked = await ranked_again(reranker, request.query, hits)
        RERANKS.labels("not_reranked" if ranked is None else "reranked").inc()
        degraded = degraded or ("not_reranked" if ranked is None else None)
        hits = [hit for hit in (ranked or hits)[: request.top_k] if hit.score >= request.min_score]
    closest: list[Closest | None] = []
    if request.explain and vector is not None:
        explained = [hit.document for hit in hits[:MAX_EXPLAINED_HITS]]
        closest = await asyncio.to_thread(closest_sentences, vector, explained, engine.encode_passages)
    closest += [None] * (len(hits) - len(closest))
    SEARCHES.labels(request.mode, "found" if hits else "nothing").inc()
    return SearchResponse(
        hits=[_public(hit, similar) for hit, similar in zip(hits, closest, strict=True)],
        took_ms=round((time.perf_counter() - started) * 1000, 2),
        degraded=degraded,
    )


def _find(
    request: SearchRequest,
    engine: Engine,
    knowledge: KnowledgeSearch,
    vector: Vector | None,
    reranker: Reranker | None,
    arrived: float,
) -> tuple[Vector | None, Answer]:
    """The query's vector, unless only words are asked for, and the hits before they are ranked again."""
    if vector is None and request.mode != "lexical":
        vector = normalise(engine.encode_query(request.query))
    with SEARCH_SECONDS.labels(request.mode).time(), span("search", mode=request.mode):
        answer = knowledge.answer(
            request.query,
            vector,
            top_k=max(request.top_k, reranker.top) if reranker else request.top_k,
            mode=request.mode,
            filters=_filters(request.filters),
            context=Context(request.product, request.module),
            min_score=0.0 if reranker else request.min_score,
            since=arrived,
        )
    return vector, answer


def _public(hit: Hit, similar: Closest | None) -> SearchHit:
    public = SearchHit.model_validate(
        {
            **{name: getattr(hit.document, name) for name in _SHOWN},
            "score": round(hit.score, 6),
            "highlights": [vars(part) for part in hit.highlights],
        }
    )
    if similar is not None:
        similarity = round(min(1.0, max(-1.0, similar.similarity)), 4)
        public.closest = SimilarSentence(field=similar.field, text=similar.text, similarity=similarity)
    return public


def _filters(given: SearchFilters) -> Filters:
    def values(name: str) -> frozenset[str] | None:
        chosen = getattr(given, name)
        return None if chosen is None else frozenset(chosen)

    return Filters(
        product=values("product"),
        module=values("module"),
        scenario=values("scenario"),
        tags=values("tags"),
        status=values("status"),
        kind=values("kind"),
        since=given.since,
        until=given.until,
    )
