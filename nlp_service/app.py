"""The service as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from nlp_service import __version__
from nlp_service.api import (
    classify,
    embeddings,
    feedback,
    frequent,
    health,
    knowledge,
    models,
    problems,
    search,
    sentiment,
    subjects,
    votes,
    workflow,
)
from nlp_service.api.metrics import EncoderMetrics
from nlp_service.api.middleware import BodyLimits, RequestContext
from nlp_service.errors import ServiceError
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine, keep_engine
from nlp_service.knowledge.needs_review import NeedsReview
from nlp_service.knowledge.points import PointAmounts, Points
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.logs import configure_logs
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.text.segmentation import terms

WATCH_SECONDS = 0.5
log = structlog.get_logger()
DESCRIPTION = "读懂客户交付后写下的反馈 · understands what customers write after delivery"


def create_app(settings: Settings | None = None, engine: Engine | None = None) -> FastAPI:
    """The application; models are loaded and indexes built when it starts, not here.

    An `engine` that is given is used instead of loading one, and stays open when the application stops.
    """
    configured = settings or Settings()
    configure_logs(configured)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        live = await run_in_threadpool(_start, configured, engine)
        watch = None
        try:
            await run_in_threadpool(_open, app, configured, live)
            app.state.health_limiter = CapacityLimiter(2)  # health checks do not queue behind other requests
            if engine is None and configured.watch_models:
                watch = asyncio.create_task(_follow(live))
            yield
        finally:
            if watch is not None:
                watch.cancel()
            if engine is None:
                await run_in_threadpool(live.close)
            await run_in_threadpool(_close, app)

    app = FastAPI(title="nlp-service", version=__version__, description=DESCRIPTION, lifespan=lifespan)
    # Votes and frequent problems come before knowledge: /leaderboard would else be read as the number of an article.
    knowing = (search, votes, frequent, workflow, knowledge, feedback, subjects)
    for module in (sentiment, classify, *knowing, embeddings, models, health):
        app.include_router(module.router)
    problems.install(app)
    app.add_middleware(BodyLimits, max_bytes=configured.max_body_bytes, uploads=[knowledge.IMPORT_PATH])
    app.add_middleware(RequestContext)
    return app


def _start(settings: Settings, given: Engine | None) -> LiveEngine:
    if given is not None:
        return LiveEngine(given, keep_engine, settings.bundles_dir)

    def load(previous: Engine | None) -> Engine:
        return Engine.load(
            settings.bundles_dir,
            threads=settings.inference_threads,
            max_waiting=settings.max_waiting_windows,
            observe=EncoderMetrics,
            previous=previous,
        )

    return LiveEngine.start(load, settings.bundles_dir)


async def _follow(live: LiveEngine) -> None:
    """Take what is promoted within a second; keep the old models when the new ones do not load.

    With too much waiting for an encoder it tries again.
    """
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if live.changed:
            try:
                await run_in_threadpool(live.reload)
            except ServiceError as error:
                log.error("models not reloaded", reason=str(error))


def _amounts(settings: Settings) -> PointAmounts:
    return PointAmounts(settings.points_approved, settings.points_review, settings.points_helpful)


def _open(app: FastAPI, settings: Settings, live: LiveEngine) -> None:
    app.state.database = database = Database(settings.resolved_database_url)
    database.migrate()
    terms("预热 · warm up")
    app.state.searches = searches = Searches(database, settings.index_dir, settings.search_statuses)
    with live.lease() as engine:
        searches.start(engine)
        records, model = len(searches.of(engine)), engine.search_model
        versions = {task: head.bundle.version for task, head in engine.heads.items()}
    live.index = searches
    app.state.analyse = feedback.counted_analyse(live)
    app.state.workflow = ReviewWorkflow(database)
    app.state.votes = ArticleVotes(database)
    app.state.points = Points(database, _amounts(settings))
    app.state.needs_review = NeedsReview(database, settings.stale_days)
    app.state.live = live
    log.info("ready", records=records, search=model.version, **versions)


def _close(app: FastAPI) -> None:
    """Close what was opened, also when the start failed half-way."""
    searches: Searches | None = getattr(app.state, "searches", None)
    database: Database | None = getattr(app.state, "database", None)
    if searches is not None:
        searches.close()
    if database is not None:
        database.close()
