"""``POST /v1/classify``."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nlp_service.api.deps import PROBLEMS, EngineDep, ModelInfo
from nlp_service.api.encoding import encode
from nlp_service.api.fields import MAX_TEXTS, Explain, InfluenceOut, Probability, Request, Text, check_explained
from nlp_service.api.reports import check_reports
from nlp_service.feedback.triage import Triage, triage
from nlp_service.observability.answers import ANSWER_COUNTS

router = APIRouter(tags=["classify"])
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="fault, feature_request, question or other; or a label of your own model, see /v1/models",
        examples=["fault"],
    ),
]
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
    explain: Explain = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tickets": [{"id": "T-1", "text": "怎么连个导出都没有", "reported_as": "fault"}]}]
        }
    )


class SeverityResult(BaseModel):
    """How badly the author is hindered, as the text tells it."""

    label: str
    confidence: Probability
    probabilities: dict[str, Probability]
    needs_review: bool


class ClassifyResult(BaseModel):
    """Kind of one ticket, and what should happen to it."""

    id: str | None = None
    label: Label
    confidence: Probability
    probabilities: dict[Label, Probability]
    needs_review: bool
    disagrees_with_report: bool | None = None
    severity: SeverityResult
    triage: Triage
    explanation: list[InfluenceOut] | None = None


class ClassifyResponse(BaseModel):
    """One result for each ticket, in the order of the request."""

    model: ModelInfo
    results: list[ClassifyResult]


@router.post("/v1/classify", responses=PROBLEMS, response_model_exclude_none=True)
async def classify(request: ClassifyRequest, engine: EngineDep) -> ClassifyResponse:
    """工单分类与分诊 · fault, feature request, question or other; how badly it hurts, who answers it, and by when."""
    texts = [ticket.text for ticket in request.tickets]
    check_explained(request.explain, texts, "tickets")
    check_reports([ticket.reported_as for ticket in request.tickets], engine, "tickets")
    encoded = await encode(engine, texts, ("classify", "severity"), explain=request.explain)
    answers, severities = engine.classifications(encoded.pooled), engine.severities(encoded.pooled)
    ANSWER_COUNTS.count("classify", answers)
    ANSWER_COUNTS.count("severity", severities)
    results = []
    for ticket, answer, severity in zip(request.tickets, answers, severities, strict=True):
        results.append(
            ClassifyResult(
                id=ticket.id,
                label=answer.label,
                confidence=answer.confidence,
                probabilities=answer.probabilities,
                needs_review=answer.needs_review,
                disagrees_with_report=None if ticket.reported_as is None else ticket.reported_as != answer.label,
                severity=SeverityResult.model_validate(severity, from_attributes=True),
                triage=triage(answer),
            )
        )
    if request.explain:
        explanations = encoded.explain(engine, "classify", [answer.label for answer in answers])
        for result, influences in zip(results, explanations, strict=True):
            result.explanation = [InfluenceOut.model_validate(part, from_attributes=True) for part in influences]
    model = engine.model("classify")
    return ClassifyResponse(model=ModelInfo(name=model.task, version=model.version), results=results)
