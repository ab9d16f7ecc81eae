"""``/v1/feedback``: tickets and reviews."""

from collections.abc import Sequence
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.api.deps import PROBLEM, PROBLEMS, CallerDep, DraftsDep, DuplicatesDep, EngineDep, FeedbackDep
from nlp_service.api.fields import MAX_TEXTS, ByName, Probability, Request
from nlp_service.api.knowledge import INVALID, MAX_ID
from nlp_service.api.reports import check_reports
from nlp_service.api.transfer import Text
from nlp_service.feedback.analysis import Analyse, Analysis, analyse
from nlp_service.feedback.moment import Moment
from nlp_service.feedback.record import FeedbackItem, FeedbackPublic, FeedbackResult, public_of, result_of
from nlp_service.feedback.selection import Selection
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine
from nlp_service.knowledge.article import ArticlePublic, Person, Solution, Title
from nlp_service.knowledge.duplicates import Duplicate
from nlp_service.observability.answers import ANSWER_COUNTS
from nlp_service.storage.tables import Feedback, FeedbackKind, FeedbackStatus

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])
log = structlog.get_logger()
FeedbackId = Annotated[int, Path(ge=1, le=MAX_ID)]
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "no such ticket or review", **PROBLEM}}
TAKEN: dict[int | str, dict[str, Any]] = {409: {"description": "external_id is of the other kind", **PROBLEM}}
STATE: dict[int | str, dict[str, Any]] = {409: {"description": "a review, or its state does not allow it", **PROBLEM}}
DRAFTED: dict[int | str, dict[str, Any]] = {200: {"description": "it was drafted before", "model": ArticlePublic}}


class FeedbackRequest(BaseModel):
    """Tickets and reviews to take in."""

    items: Annotated[list[FeedbackItem], Field(min_length=1, max_length=MAX_TEXTS)]

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "kind": "ticket",
                            "external_id": "T-1",
                            "customer_id": "C-7",
                            "text": "导出报表一直超时",
                            "reported_as": "fault",
                        },
                        {"kind": "review", "text": "更新以后特别流畅,好评", "rating": 5},
                    ]
                }
            ]
        },
    )


class DuplicateOut(BaseModel):
    """A ticket that tells the same matter."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    external_id: str | None
    status: FeedbackStatus
    score: Annotated[Probability, Field(description="probability that both tell the same matter")]


class TakenInResult(FeedbackResult):
    """What a ticket or review is taken for, and which tickets it repeats."""

    duplicates: Annotated[
        list[DuplicateOut], Field(description="earlier tickets that it repeats, at most 5, the best first")
    ]


class FeedbackResponse(BaseModel):
    """What became of the items, and one result for each, in the order of the request."""

    created: int
    updated: int
    unchanged: int
    results: list[TakenInResult]


class DuplicateList(BaseModel):
    """The tickets that tell the same matter, at most 5, the best first; none for a review."""

    duplicates: list[DuplicateOut]


class FeedbackPage(BaseModel):
    """A page of tickets and reviews, what was received last first."""

    total: int
    items: list[FeedbackPublic]


class ListQuery(BaseModel):
    """Which tickets and reviews, and which page of them. A time without zone is one in UTC."""

    model_config = ConfigDict(extra="forbid")

    kind: FeedbackKind | None = None
    status: FeedbackStatus | None = None
    product: Text | None = None
    label: Text | None = None
    since: Annotated[Moment | None, Field(description="written then or later")] = None
    until: Annotated[Moment | None, Field(description="written before")] = None
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Resolution(Request):
    """How the ticket was solved. `by` is checked but not kept: neither logs nor the record hold names."""

    solution: Annotated[Solution, Field(description="1 to 10,000 characters")]
    by: Annotated[Person | None, Field(description="name of the person, 1 to 100 characters")] = None


class DraftRequest(Request):
    """Who drafts the article, and perhaps its title."""

    by: ByName = None
    title: Annotated[Title | None, Field(description="by default the first sentence of the ticket")] = None


@router.post("", responses=PROBLEMS | TAKEN)
def take_in(
    request: FeedbackRequest, store: FeedbackDep, engine: EngineDep, duplicates: DuplicatesDep
) -> FeedbackResponse:
    """接收工单与评价 · take in tickets and reviews, up to 256; all of them or none.

    An item whose external_id is known updates what is stored: fields that are not given stay, and the same again
    changes nothing. Personal data in texts is masked before anything else is done with them. A ticket names the open
    and solved ones that it repeats, also those that stand before it in the same call.
    """
    check_reports([item.reported_as for item in request.items], engine, "items")
    taken = store.take_in(request.items)
    threshold = _threshold(engine)
    return FeedbackResponse(
        created=taken.created,
        updated=taken.updated,
        unchanged=taken.unchanged,
        results=[
            _taken_in(record, threshold, repeated)
            for record, repeated in zip(taken.records, duplicates.earlier(taken.records), strict=True)
        ],
    )


@router.get("", responses=INVALID)
def list_feedback(query: Annotated[ListQuery, Query()], store: FeedbackDep, engine: EngineDep) -> FeedbackPage:
    """列出工单与评价 · list tickets and reviews, what was received last first."""
    selection = Selection(**query.model_dump(exclude={"offset", "limit"}))
    records, total = store.page(selection, offset=query.offset, limit=query.limit)
    threshold = _threshold(engine)
    return FeedbackPage(total=total, items=[public_of(record, threshold) for record in records])


@router.get("/{feedback_id}", responses=INVALID | NOT_FOUND)
def read(feedback_id: FeedbackId, store: FeedbackDep, engine: EngineDep) -> FeedbackPublic:
    """查看工单或评价 · read a ticket or review."""
    return public_of(store.get(feedback_id), _threshold(engine))


@router.get("/{feedback_id}/duplicates", responses=INVALID | NOT_FOUND)
def list_duplicates(feedback_id: FeedbackId, store: FeedbackDep, duplicates: DuplicatesDep) -> DuplicateList:
    """重复的工单 · the open and solved tickets that tell the same matter, earlier and later ones."""
    found = duplicates.of(store.get(feedback_id))
    return DuplicateList(duplicates=[DuplicateOut.model_validate(one) for one in found])


@router.post("/{feedback_id}/resolve", responses=PROBLEMS | NOT_FOUND | STATE)
def resolve(
    feedback_id: FeedbackId, given: Resolution, store: FeedbackDep, engine: EngineDep, caller: CallerDep
) -> FeedbackPublic:
    """解决工单 · a ticket is solved; search finds it as a case. The same solution again changes nothing."""
    if caller.name is not None:
        caller.person(given.by)
    record = store.resolve(feedback_id, given.solution)
    log.info("ticket resolved", id=feedback_id)
    return public_of(record, _threshold(engine))


@router.post("/{feedback_id}/reopen", responses=INVALID | NOT_FOUND | STATE)
def reopen(feedback_id: FeedbackId, store: FeedbackDep, engine: EngineDep) -> FeedbackPublic:
    """重新打开工单 · a ticket is open again, without its solution; search no longer finds it."""
    return public_of(store.reopen(feedback_id), _threshold(engine))


@router.post("/{feedback_id}/draft", status_code=201, responses=PROBLEMS | NOT_FOUND | STATE | DRAFTED)
def draft(
    feedback_id: FeedbackId, given: DraftRequest, drafts: DraftsDep, caller: CallerDep, response: Response
) -> ArticlePublic:
    """起草文章 · a solved ticket becomes a draft of an article; a second call gives the same article."""
    article, is_new = drafts.draft(feedback_id, by=caller.person(given.by), title=given.title)
    response.headers["Location"] = f"/v1/knowledge/{article.id}"
    if not is_new:
        response.status_code = 200
    return ArticlePublic.model_validate(article)


def counted_analyse(live: LiveEngine) -> Analyse:
    """Analyses with the models that serve when it is called, and counts the answers."""

    def analyse_texts(texts: Sequence[str]) -> list[Analysis]:
        with live.lease() as engine:
            analyses = analyse(engine, texts)
        ANSWER_COUNTS.count("classify", [one.kind for one in analyses])
        ANSWER_COUNTS.count("severity", [one.severity for one in analyses])
        ANSWER_COUNTS.count("sentiment", [one.sentiment for one in analyses])
        return analyses

    return analyse_texts


def _taken_in(record: Feedback, review_threshold: float, repeated: Sequence[Duplicate]) -> TakenInResult:
    duplicates = [DuplicateOut.model_validate(one) for one in repeated]
    return TakenInResult(**result_of(record, review_threshold).model_dump(), duplicates=duplicates)


def _threshold(engine: Engine) -> float:
    return engine.model("classify").review_threshold
