"""The service as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from nlp_service import __version__
from nlp_service.api import classify, embeddings, health, knowledge, problems, search, sentiment
from nlp_service.api.metrics import EncoderMetrics
from nlp_service.api.middleware import BodyLimits, RequestContext
from nlp_service.inference.engine import FEEDBACK, SEARCH, Engine
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
from nlp_service.logs import configure_logs
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.text.segmentation import terms

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
        loaded = engine if engine is not None else await run_in_threadpool(_load_engine, configured)
        try:
            database = await run_in_threadpool(_open, app, configured, loaded)
            app.state.health_limiter = CapacityLimiter(2)  # health checks do not queue behind other requests
            yield
            database.close()
        finally:
            if engine is None:
                loaded.close()

    app = FastAPI(title="nlp-service", version=__version__, description=DESCRIPTION, lifespan=lifespan)
    for module in (sentiment, classify, search, knowledge, embeddings, health):
        app.include_router(module.router)
    problems.install(app)
    app.add_middleware(BodyLimits, max_bytes=configured.max_body_bytes, uploads=[knowledge.IMPORT_PATH])
    app.add_middleware(RequestContext)
    return app


def _load_engine(settings: Settings) -> Engine:
    return Engine.load(
        settings.bundles_dir,
        threads=settings.inference_threads,
        max_waiting=settings.max_waiting_windows,
        observers={name: EncoderMetrics(name) for name in (FEEDBACK, SEARCH)},
    )


def _open(app: FastAPI, settings: Settings, engine: Engine) -> Database:
    database = Database(settings.resolved_database_url)
    database.migrate()
    model = engine.search_model
    articles = KnowledgeSearch(
        database, engine.encode_passages, model.fingerprint, model.dimension, settings.search_statuses
    )
    articles.rebuild()
    terms("预热 · warm up")
    app.state.database = database
    app.state.store = ArticleStore(database, engine.encode_passages, model.fingerprint)
    app.state.search = articles
    app.state.engine = engine
    log.info("ready", articles=len(articles), sentiment=engine.sentiment_model.version, search=model.version)
    return database
