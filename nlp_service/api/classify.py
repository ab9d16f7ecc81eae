"""``POST /v1/classify``."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nlp_service.api.deps import PROBLEMS, EngineDep, ModelInfo, encode_feedback
from nlp_service.api.fields import MAX_TEXTS, Probability, Request, Text
from nlp_service.api.metrics import ANSWERS
from nlp_service.feedback.triage import Triage, triage

router = APIRouter(tags=["classify"])
Label = Literal["fault", "feature_request", "question", "other"]
ShortName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Ticket(Request):
    """One ticket. `reported_as` is what the customer filed it as; it never changes the answer."""

    text: Text
    id: ShortName | None = None
    reported_as: Label | None = None
    product: ShortName | None = None


class ClassifyRequest(Request):
    """Tickets whose kind is asked for."""

    tickets: Annotated[list[Ticket], Field(min_length=1, max_length=MAX_TEXTS)]
    explain: Literal[False] = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tickets": [{"id": "T-1", "text": "怎么连个导出都没有", "reported_as": "fault"}]}]
        }
    )


class ClassifyResult(BaseModel):
    """Kind of one ticket, and what should happen to it."""

    id: str | None = None
    label: Label
    confidence: Probability
    probabilities: dict[Label, Probability]
    needs_review: bool
    disagrees_with_report: bool | None = None
    triage: Triage


class ClassifyResponse(BaseModel):
    """One result for each ticket, in the order of the request."""

    model: ModelInfo
    results: list[ClassifyResult]


@router.post("/v1/classify", responses=PROBLEMS, response_model_exclude_none=True)
async def classify(request: ClassifyRequest, engine: EngineDep) -> ClassifyResponse:
    """工单分类与分诊 · fault, feature request, question or other; who answers it, and by when."""
    answers = engine.classifications(await encode_feedback(engine, [ticket.text for ticket in request.tickets]))
    results = []
    for ticket, answer in zip(request.tickets, answers, strict=True):
        ANSWERS.labels("classify", answer.label, answer.needs_review).inc()
        results.append(
            ClassifyResult(
                id=ticket.id,
                label=answer.label,
                confidence=answer.confidence,
                probabilities=answer.probabilities,
                needs_review=answer.needs_review,
                disagrees_with_report=None if ticket.reported_as is None else ticket.reported_as != answer.label,
                triage=triage(answer),
            )
        )
    model = engine.classify_model
    return ClassifyResponse(model=ModelInfo(name=model.task, version=model.version), results=results)
