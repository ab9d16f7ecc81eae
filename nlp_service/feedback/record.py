"""What a ticket or review is, and what may be stored of it."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from nlp_service.feedback.moment import PastMoment
from nlp_service.feedback.triage import Triage, triage
from nlp_service.inference.classification import Classification
from nlp_service.knowledge.article import ExternalId, Name, Problem, ScenarioOrNull, Solution, Tags
from nlp_service.knowledge.article import passage as passage_of_parts
from nlp_service.storage.tables import Feedback, FeedbackKind, FeedbackStatus


class FeedbackItem(BaseModel):
    """A ticket or review as it is taken in. Personal data in its texts is masked before it is stored."""

    model_config = ConfigDict(extra="forbid")

    text: Problem
    kind: FeedbackKind
    external_id: Annotated[ExternalId | None, Field(description="its key in the system that it comes from")] = None
    customer_id: Annotated[ExternalId | None, Field(description="under this, erasure finds it")] = None
    product: Name | None = None
    module: Name | None = None
    scenario: ScenarioOrNull = ""
    tags: Tags = []
    created_at: Annotated[
        PastMoment | None, Field(description="when the customer wrote it; now when not given; UTC without a zone")
    ] = None
    rating: Annotated[int, Field(strict=True, ge=1, le=5)] | None = None
    reported_as: Annotated[Name | None, Field(description="the label that the customer filed it as")] = None
    status: FeedbackStatus = "open"
    solution: Annotated[
        Solution | None, Field(description="needed exactly when the status is solved", validate_default=True)
    ] = None
    solved_at: Annotated[PastMoment | None, Field(description="UTC without a zone")] = None

    @field_validator("status")
    @classmethod
    def _only_tickets_are_solved(cls, status: FeedbackStatus, info: ValidationInfo) -> FeedbackStatus:
        if status == "solved" and info.data.get("kind") == "review":
            raise ValueError("评价没有解决状态,只有工单有 · only a ticket can be solved, not a review")
        return status

    @field_validator("solution")
    @classmethod
    def _solution_fits_status(cls, solution: str | None, info: ValidationInfo) -> str | None:
        status = info.data.get("status")
        if status == "solved" and solution is None:
            raise ValueError("status 为 solved 时必须给出 · is required when the status is solved")
        if status == "open" and solution is not None:
            raise ValueError("只有 status 为 solved 时才能给出 · is allowed only when the status is solved")
        return solution

    @field_validator("solved_at")
    @classmethod
    def _solved_after_it_was_written(cls, solved_at: datetime | None, info: ValidationInfo) -> datetime | None:
        if solved_at is None:
            return None
        if info.data.get("status") == "open":
            raise ValueError("只有 status 为 solved 时才能给出 · is allowed only when the status is solved")
        created_at = info.data.get("created_at")
        if created_at is not None and solved_at < created_at:
            raise ValueError("不能早于 created_at · must not be before created_at")
        return solved_at


class FeedbackResult(BaseModel):
    """What a ticket or review is taken for, and what should happen to it."""

    id: int
    external_id: str | None
    kind: FeedbackKind
    status: FeedbackStatus
    label: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    needs_review: bool
    severity: str
    sentiment: str
    triage: Triage


class FeedbackPublic(FeedbackResult):
    """A ticket or review as it is read."""

    text: str
    customer_id: str | None
    product: str | None
    module: str | None
    scenario: str
    tags: list[str]
    rating: int | None
    reported_as: str | None
    created_at: Annotated[datetime, Field(description="when the customer wrote it")]
    received_at: Annotated[datetime, Field(description="when it was first taken in")]
    solution: str | None
    solved_at: Annotated[datetime | None, Field(description="null when it was solved before and nobody said when")]
    draft_id: Annotated[int | None, Field(description="the article that was drafted from it")]


def result_of(record: Feedback, review_threshold: float) -> FeedbackResult:
    """The record's answers; under `review_threshold` (0…1, of the model that serves) its class needs a review."""
    return FeedbackResult.model_validate(_values(FeedbackResult, record, review_threshold))


def public_of(record: Feedback, review_threshold: float) -> FeedbackPublic:
    """Everything that is known of the record; see `result_of`."""
    return FeedbackPublic.model_validate(_values(FeedbackPublic, record, review_threshold))


def passage_of(record: Feedback) -> str:
    """The text of a ticket that is encoded for search: what the customer wrote, and where it happened."""
    return passage_of_parts("", record.text, record.scenario)


def _values(model: type[FeedbackResult], record: Feedback, review_threshold: float) -> dict[str, Any]:
    # Of the probabilities only the label's is kept, and triage reads no other.
    kind = Classification(record.label, record.confidence, {}, record.confidence < review_threshold)
    stored = {name: getattr(record, name) for name in model.model_fields if name not in {"needs_review", "triage"}}
    return {**stored, "needs_review": kind.needs_review, "triage": triage(kind)}
