"""``POST /v1/embeddings``, as OpenAI's."""

import asyncio
import base64
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nlp_service.api.awaiting import awaited
from nlp_service.api.deps import PROBLEMS, EngineDep
from nlp_service.api.fields import MAX_TEXTS, ONE_OR_MORE, Request, Text
from nlp_service.errors import InvalidText
from nlp_service.inference.encoder import normalise

router = APIRouter(tags=["embeddings"])


class EmbeddingsRequest(Request):
    """Texts to embed with the search encoder. `input_type` chooses the side of a search that they stand on."""

    input: Annotated[list[Text], ONE_OR_MORE, Field(min_length=1, max_length=MAX_TEXTS)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "search"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: Annotated[str, StringConstraints(max_length=200)] | None = None
    input_type: Literal["query", "passage"] = "query"

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "search", "input": ["网课声音卡顿"]}]})


class Embedding(BaseModel):
    """One vector of length 1: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that were encoded."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """One embedding for each input, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


@router.post("/v1/embeddings", responses=PROBLEMS)
async def embeddings(request: EmbeddingsRequest, engine: EngineDep) -> EmbeddingsResponse:
    """文本向量 · vectors of texts, compatible with OpenAI's clients."""
    bundle = engine.search_model
    if request.model != bundle.name:
        raise InvalidText(f"没有该模型,可用: · unknown model, available: {bundle.name}", field="model")
    if request.dimensions not in (None, bundle.dimension):
        raise InvalidText(f"只支持 {bundle.dimension} 维 · only {bundle.dimension} is supported", field="dimensions")
    encoding = await asyncio.to_thread(engine.search.submit, request.input, request.input_type)
    vectors = normalise(await awaited(encoding.vectors))
    tokens = encoding.tokens
    as_text = request.encoding_format == "base64"
    data = [
        Embedding(
            index=index,
            embedding=base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_text else vector.tolist(),
        )
        for index, vector in enumerate(vectors)
    ]
    return EmbeddingsResponse(data=data, model=bundle.name, usage=Usage(prompt_tokens=tokens, total_tokens=tokens))
