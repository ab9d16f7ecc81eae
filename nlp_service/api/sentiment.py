"""``POST /v1/sentiment``."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.api.deps import PROBLEMS, EngineDep, ModelInfo, encode_feedback
from nlp_service.api.fields import MAX_TEXTS, Probability, Request, Text
from nlp_service.api.metrics import ANSWERS

router = APIRouter(tags=["sentiment"])


class SentimentRequest(Request):
    """Texts whose sentiment is asked for."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    explain: Literal[False] = False

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["更新以后特别流畅,好评", "又闪退了,三次没保存"]}]}
    )


class SentimentResult(BaseModel):
    """Sentiment of one text."""

    label: Literal["negative", "neutral", "positive"]
    score: Annotated[float, Field(ge=-1, le=1, description="P(positive) − P(negative)")]
    confidence: Probability
    probabilities: dict[Literal["negative", "neutral", "positive"], Probability]
    needs_review: bool


class SentimentResponse(BaseModel):
    """One result for each text, in the order of the request."""

    model: ModelInfo
    results: list[SentimentResult]


@router.post("/v1/sentiment", responses=PROBLEMS)
async def sentiment(request: SentimentRequest, engine: EngineDep) -> SentimentResponse:
    """情感分析 · how do the authors feel: negative, neutral or positive, with calibrated probabilities."""
    answers = engine.sentiments(await encode_feedback(engine, request.texts))
    for answer in answers:
        ANSWERS.labels("sentiment", answer.label, answer.needs_review).inc()
    model = engine.sentiment_model
    return SentimentResponse(
        model=ModelInfo(name=model.task, version=model.version),
        results=[SentimentResult.model_validate(answer, from_attributes=True) for answer in answers],
    )
