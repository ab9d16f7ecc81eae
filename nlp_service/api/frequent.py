"""``GET /v1/knowledge/frequent``: the problems that people report most, and which of them no article answers."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.api.deps import FrequentDep
from nlp_service.api.fields import ONE_OR_MORE, Probability
from nlp_service.api.knowledge import INVALID
from nlp_service.api.transfer import Text
from nlp_service.errors import InvalidText
from nlp_service.feedback.moment import Moment
from nlp_service.knowledge.frequent import Problem

router = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])


class FrequentQuery(BaseModel):
    """Which tickets, and how many problems. A time without zone is one in UTC."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[Moment | None, Field(description="written then or later; by default 30 days before the end")] = (
        None
    )
    until: Annotated[Moment | None, Field(description="written before; by default now")] = None
    product: Text | None = None
    label: Annotated[
        list[Text], ONE_OR_MORE, Field(max_length=10, description="any of these; by default every one but other")
    ] = []
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class Answer(BaseModel):
    """The published article that most probably answers a problem."""

    id: int
    external_id: str | None
    title: str
    score: Annotated[Probability, Field(description="probability that it answers the problem")]


class FrequentProblem(BaseModel):
    """Tickets that tell the same matter."""

    title: Annotated[str, Field(description="headline of the most typical ticket")]
    ticket: Annotated[int, Field(description="number of that ticket")]
    size: Annotated[int, Field(ge=2, description="tickets of the period")]
    share: Annotated[Probability, Field(description="of all tickets of the period")]
    previous: Annotated[int, Field(ge=0, description="tickets of the period before, of equal length")]
    change: Annotated[int, Field(description="size minus previous")]
    products: Annotated[dict[str, int], Field(description="how many tickets name each product")]
    examples: Annotated[list[int], Field(description="numbers of up to 5 tickets, the most typical first")]
    article: Answer | None
    gap: Annotated[bool, Field(description="whether no published article answers it")]


class FrequentResponse(BaseModel):
    """The most frequent problems, the largest first."""

    since: datetime
    until: datetime
    tickets: Annotated[int, Field(ge=0, description="tickets of the period that were compared")]
    problems: list[FrequentProblem]


@router.get("/frequent", responses=INVALID)
def frequent(query: Annotated[FrequentQuery, Query()], finder: FrequentDep) -> FrequentResponse:
    """高频问题与知识缺口 · the most frequent problems with their articles, and those that no article answers."""
    try:
        found = finder.top(
            since=query.since, until=query.until, product=query.product, labels=query.label, limit=query.limit
        )
    except InvalidText as error:
        raise InvalidText(str(error), field=f"query.{error.field}") from error
    return FrequentResponse(
        since=found.period.since,
        until=found.period.until,
        tickets=found.tickets,
        problems=[_public(problem) for problem in found.problems],
    )


def _public(problem: Problem) -> FrequentProblem:
    hit = problem.article
    return FrequentProblem(
        title=problem.title,
        ticket=problem.ticket,
        size=problem.size,
        share=round(problem.share, 6),
        previous=problem.previous,
        change=problem.size - problem.previous,
        products=problem.products,
        examples=problem.examples,
        article=None
        if hit is None
        else Answer(
            id=hit.document.id,
            external_id=hit.document.external_id,
            title=hit.document.title,
            score=round(hit.score, 6),
        ),
        gap=problem.gap,
    )
