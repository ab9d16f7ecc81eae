"""``POST /v1/sentiment``."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.api.deps import PROBLEMS, EngineDep, ModelInfo
from nlp_service.api.encoding import encode
from nlp_service.api.fields import MAX_TEXTS, Explain, InfluenceOut, Probability, Request, Text, check_explained
from nlp_service.inference.bundle import Task
from nlp_service.observability.answers import ANSWER_COUNTS

router = APIRouter(tags=["sentiment"])
Polarity = Literal["negative", "neutral", "positive"]


class SentimentRequest(Request):
    """Texts whose sentiment is asked for."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    aspects: Annotated[bool, Field(description="also what each text speaks of, and how")] = False
    explain: Explain = False

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["更新以后特别流畅,好评", "功能挺全,就是老闪退"], "aspects": True}]}
    )


class AspectResult(BaseModel):
    """One aspect that the text speaks of."""

    aspect: Literal[
        "functions", "ease_of_use", "stability", "speed", "interface", "price", "customer_service", "privacy_security"
    ]
    label: Polarity
    confidence: Probability


class SentimentResult(BaseModel):
    """Sentiment of one text."""

    label: Polarity
    score: Annotated[float, Field(ge=-1, le=1, description="P(positive) − P(negative)")]
    confidence: Probability
    probabilities: dict[Polarity, Probability]
    needs_review: bool
    aspects: list[AspectResult] | None = None
    explanation: list[InfluenceOut] | None = None


class SentimentResponse(BaseModel):
    """One result for each text, in the order of the request."""

    model: ModelInfo
    results: list[SentimentResult]


@router.post("/v1/sentiment", responses=PROBLEMS, response_model_exclude_none=True)
async def sentiment(request: SentimentRequest, engine: EngineDep) -> SentimentResponse:
    """情感分析 · how do the authors feel, about what, and which words say so."""
    check_explained(request.explain, request.texts, "texts")
    tasks: tuple[Task, ...] = ("sentiment", "aspects") if request.aspects else ("sentiment",)
    encoded = await encode(engine, request.texts, tasks, explain=request.explain)
    answers = engine.sentiments(encoded.pooled)
    results = [SentimentResult.model_validate(answer, from_attributes=True) for answer in answers]
    ANSWER_COUNTS.count("sentiment", answers)
    if request.aspects:
        aspects = engine.aspects(encoded.pooled)
        ANSWER_COUNTS.count_aspects(aspects)
        for result, opinions in zip(results, aspects, strict=True):
            result.aspects = [AspectResult.model_validate(opinion, from_attributes=True) for opinion in opinions]
    if request.explain:
        explanations = encoded.explain(engine, "sentiment", [answer.label for answer in answers])
        for result, influences in zip(results, explanations, strict=True):
            result.explanation = [InfluenceOut.model_validate(part, from_attributes=True) for part in influences]
    model = engine.model("sentiment")
    return SentimentResponse(model=ModelInfo(name=model.task, version=model.version), results=results)
