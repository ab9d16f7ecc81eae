"""``/v1/knowledge``: votes, and what is counted from them: points, and the articles that need review."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nlp_service.api.deps import PROBLEMS, CallerDep, NeedsReviewDep, PointsDep, VotesDep
from nlp_service.api.knowledge import INVALID, NOT_FOUND, ArticleId
from nlp_service.api.workflow import ByPerson
from nlp_service.knowledge.article import ArticlePublic
from nlp_service.knowledge.needs_review import Concern
from nlp_service.knowledge.points import BEGINNING

router = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])


class Vote(ByPerson):
    """Whether the article helped."""

    helpful: bool


class VoteCounts(BaseModel):
    """The votes of an article, one for each person."""

    model_config = ConfigDict(from_attributes=True)

    helpful: Annotated[int, Field(ge=0)]
    unhelpful: Annotated[int, Field(ge=0)]


class Standing(BaseModel):
    """What a person did for the knowledge base, and the points for it."""

    model_config = ConfigDict(from_attributes=True)

    by: str
    points: int
    approved: Annotated[int, Field(description="contributed articles that were approved")]
    reviews: Annotated[int, Field(description="articles that the person approved or rejected")]
    helpful: Annotated[int, Field(description="helpful votes of others for contributed articles")]


class Concerning(BaseModel):
    """A published article that somebody should look at, and why."""

    model_config = ConfigDict(from_attributes=True)

    article: ArticlePublic
    reasons: list[Concern]
    confirmed_at: Annotated[datetime, Field(description="last change or helpful vote, the later one")]


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = "须为 ISO 8601 时间,如 2026-10-01T08:00:00Z · must be an ISO 8601 time, such as 2026-10-01T08:00:00Z"
        raise ValueError(message) from error


class LeaderboardQuery(BaseModel):
    """Since when, and how many people. A time without zone is one in UTC."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[datetime, BeforeValidator(_moment)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 10


class NeedsReviewQuery(BaseModel):
    """How many articles."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 20


@router.get("/leaderboard", responses=INVALID)
def leaderboard(query: Annotated[LeaderboardQuery, Query()], points: PointsDep) -> list[Standing]:
    """积分榜 · the people with the most points for what they did since then."""
    standings = points.leaderboard(since=query.since or BEGINNING, limit=query.limit)
    return [Standing.model_validate(standing) for standing in standings]


@router.get("/needs-review", responses=INVALID)
def needs_review(query: Annotated[NeedsReviewQuery, Query()], finder: NeedsReviewDep) -> list[Concerning]:
    """待复查的文章 · published articles that do not help or are out of date, the worst first."""
    return [Concerning.model_validate(found) for found in finder.worst(query.limit)]


@router.post("/{article_id}/vote", responses=PROBLEMS | NOT_FOUND)
def vote(article_id: ArticleId, given: Vote, votes: VotesDep, caller: CallerDep) -> VoteCounts:
    """投票是否有用 · say whether the article helped; a second vote of a person replaces the first."""
    return VoteCounts.model_validate(votes.vote(article_id, by=caller.person(given.by), helpful=given.helpful))
