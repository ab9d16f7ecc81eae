"""``GET /v1/models`` and ``POST /v1/models/{task}/reload``."""

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from nlp_service.api.deps import PROBLEM, PROBLEMS, EngineDep, LiveEngineDep
from nlp_service.api.problems import problem
from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, Task
from nlp_service.observability.reloads import reload_models

router = APIRouter(tags=["models"])


class EncoderInfo(BaseModel):
    """An encoder that is loaded."""

    name: str
    version: str
    base: str
    fingerprint: str
    precision: str
    dimension: int


class TaskInfo(BaseModel):
    """What answers for a task."""

    task: Task
    version: str
    labels: list[str]
    aspects: list[str]
    encoder: str
    """Fingerprint of the encoder that it reads."""
    review_threshold: float
    metrics: dict[str, dict[str, float]]
    """Figures of each test set."""


class Models(BaseModel):
    """Everything that answers now."""

    tasks: list[TaskInfo]
    encoders: list[EncoderInfo]


class Reloaded(BaseModel):
    """What a reload did, in this process; others follow within a second."""

    task: Task
    before: str
    after: str
    changed: bool


@router.get("/v1/models")
async def models(engine: EngineDep) -> Models:
    """正在服务的模型 · the models that answer now, with their figures."""
    return Models(
        tasks=[_task(engine.model(task)) for task in engine.heads], encoders=[_encoder(one) for one in engine.encoders]
    )


@router.post(
    "/v1/models/{task}/reload",
    response_model=Reloaded,
    responses={
        409: {"description": "the new bundle does not load or fails its test; the old one stays", **PROBLEM},
        422: {"description": "no such task", **PROBLEM},
        429: PROBLEMS[429],
    },
)
async def reload(task: Task, live: LiveEngineDep) -> Reloaded | Response:
    """立即换用新发布的模型 · take what was promoted now; without this call it is taken within a second."""
    with live.lease() as engine:
        before = engine.model(task).version
    try:
        await run_in_threadpool(reload_models, live)
    except BundleError as error:
        return problem(409, f"新模型未能加载,沿用 {before} · not loaded, {before} stays: {error}")
    with live.lease() as engine:
        after = engine.model(task).version
    return Reloaded(task=task, before=before, after=after, changed=after != before)


def _task(bundle: HeadBundle) -> TaskInfo:
    return TaskInfo(
        task=bundle.task,
        version=bundle.version,
        labels=list(bundle.labels),
        aspects=list(bundle.aspects),
        encoder=bundle.encoder.fingerprint,
        review_threshold=bundle.review_threshold,
        metrics=bundle.metrics,
    )


def _encoder(bundle: EncoderBundle) -> EncoderInfo:
    return EncoderInfo.model_validate(bundle, from_attributes=True)
