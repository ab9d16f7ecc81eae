"""``/livez``, ``/readyz``, ``/metrics``."""

from typing import Literal

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from nlp_service.api.deps import PROBLEM, ModelInfo
from nlp_service.api.problems import problem
from nlp_service.inference.live import LiveEngine
from nlp_service.knowledge.search import Degraded
from nlp_service.knowledge.store import count_articles
from nlp_service.observability.exposition import exposition

router = APIRouter(tags=["operations"])


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Models are loaded and the database answers."""

    status: Literal["ready"] = "ready"
    models: list[ModelInfo]
    articles: int
    degraded: Degraded | None = None
    """`rebuilding`: requests are answered, though not all records are in the indexes yet."""


@router.get("/livez")
async def livez() -> Liveness:
    """进程存活 · the process answers."""
    return Liveness()


@router.get("/readyz", response_model=Readiness, responses={503: {"description": "not ready", **PROBLEM}})
async def readyz(request: Request) -> Readiness | Response:
    """可以接受请求 · models are loaded, the database answers."""
    live: LiveEngine | None = getattr(request.app.state, "live", None)
    if live is None:
        return problem(503, "模型未加载 · models are not loaded")
    with live.lease() as engine:
        alive = engine.alive
        models = [ModelInfo(name=task, version=head.bundle.version) for task, head in engine.heads.items()]
        models.append(ModelInfo(name=engine.search_model.name, version=engine.search_model.version))
        degraded = request.app.state.searches.of(engine).degraded
    if not alive:
        return problem(503, "编码器已停止 · an encoder has stopped")
    try:
        articles = await anyio.to_thread.run_sync(_count_articles, request, limiter=request.app.state.health_limiter)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, the service is not ready
        return problem(503, f"数据库不可用 · the database does not answer ({type(error).__name__})")
    return Readiness(models=models, articles=articles, degraded=degraded)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus 指标 · what Prometheus reads, over all workers."""
    limiter = getattr(request.app.state, "health_limiter", None)
    return Response(await anyio.to_thread.run_sync(exposition, limiter=limiter), media_type=CONTENT_TYPE_LATEST)


def _count_articles(request: Request) -> int:
    return count_articles(request.app.state.database)
