"""The service as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Sequence
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
from nlp_service.feedback.drafts import TicketDrafts
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.encoder import Vectors
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine, keep_engine
from nlp_service.knowledge.needs_review import NeedsReview
from nlp_service.knowledge.points import PointAmounts, Points
from nlp_service.knowledge.relevance import relevance_of
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
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
            database = await run_in_threadpool(_open, app, configured, live)
            app.state.health_limiter = CapacityLimiter(2)  # health checks do not queue behind other requests
            if engine is None and configured.watch_models:
                watch = asyncio.create_task(_follow(live))
            yield
            database.close()
        finally:
            if watch is not None:
                watch.cancel()
            if engine is None:
                live.close()

    app = FastAPI(title="nlp-service", version=__version__, description=DESCRIPTION, lifespan=lifespan)
    # Votes come before knowledge: /leaderboard would else be read as the number of an article.
    knowing = (search, votes, workflow, knowledge, feedback, subjects)
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


def _open(app: FastAPI, settings: Settings, live: LiveEngine) -> Database:
    database = Database(settings.resolved_database_url)
    database.migrate()
    with live.lease() as engine:
        model = engine.search_model
        versions = {task: head.bundle.version for task, head in engine.heads.items()}

    def encode_passages(texts: Sequence[str]) -> Vectors:
        with live.lease() as engine:
            return engine.encode_passages(texts)

    articles = KnowledgeSearch(
        database,
        encode_passages,
        model.fingerprint,
        model.dimension,
        settings.search_statuses,
        relevance_of(model.relevance),
    )
    articles.rebuild()
    terms("预热 · warm up")
    app.state.database = database
    app.state.store = ArticleStore(database, encode_passages, model.fingerprint)
    app.state.feedback = FeedbackStore(database, feedback.counted_analyse(live), encode_passages, model.fingerprint)
    app.state.drafts = TicketDrafts(database, app.state.store)
    app.state.workflow = ReviewWorkflow(database)
    app.state.votes = ArticleVotes(database)
    app.state.points = Points(database, _amounts(settings))
    app.state.needs_review = NeedsReview(database, settings.stale_days)
    app.state.search = articles
    app.state.live = live
    log.info("ready", articles=len(articles), search=model.version, **versions)
    return database
