"""The reranker of a request."""

import asyncio
from collections.abc import Sequence

import structlog

from nlp_service.api.awaiting import awaited
from nlp_service.errors import InvalidText
from nlp_service.inference.engine import Engine
from nlp_service.inference.reranker import Reranker
from nlp_service.knowledge.relevance import Mode
from nlp_service.knowledge.reranking import reranked, texts_of
from nlp_service.knowledge.search import Hit

log = structlog.get_logger()


def reranker_for(engine: Engine, mode: Mode, wanted: bool | None) -> Reranker | None:
    """What ranks again: in a hybrid search unless it is not `wanted`, in another where it is.

    Raises InvalidText when it is wanted and none is loaded.
    """
    if wanted and engine.reranker is None:
        raise InvalidText("没有正在服务的重排模型 · no reranker serves: nlp-service models reranker", field="rerank")
    return engine.reranker if wanted or (wanted is None and mode == "hybrid") else None


async def ranked_again(reranker: Reranker, query: str, hits: Sequence[Hit]) -> list[Hit] | None:
    """The hits, one or more, in their new order; None when the reranker has no time or fails."""
    try:
        pending = await asyncio.to_thread(reranker.submit, query, texts_of(hits, reranker))
        scores = await awaited(pending)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, the search has answered
        log.warning("not reranked", reason=type(error).__name__)
        return None
    return reranked(hits, scores, reranker.reranking)
