"""The service as an ASGI application."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware

from nlp_service import __version__
from nlp_service.access.gate import Gate, open_gate
from nlp_service.api import (
    classify,
    contract,
    docs,
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
from nlp_service.api.access import Access
from nlp_service.api.door import Door, Room
from nlp_service.api.gone import CancelWhenGone
from nlp_service.api.headers import SecurityHeaders
from nlp_service.api.lending import LendEngine
from nlp_service.api.middleware import BodyLimits, RequestContext
from nlp_service.api.protocol import DOOR
from nlp_service.api.search_queue import SearchQueue
from nlp_service.api.starting import PlainStart
from nlp_service.errors import ServiceError
from nlp_service.garbage import collect_seldom, collect_when_few
from nlp_service.inference.allocator import use_few_arenas
from nlp_service.inference.bundle import Task
from nlp_service.inference.engine import Engine
from nlp_service.inference.kernel.completions import told_in
from nlp_service.inference.live import LiveEngine, keep_engine
from nlp_service.knowledge.needs_review import NeedsReview
from nlp_service.knowledge.points import PointAmounts, Points
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.knowledge.workflow import ReviewWorkflow
from nlp_service.loading import load_models
from nlp_service.logs import configure_logs
from nlp_service.observability.database import watch_database
from nlp_service.observability.reloads import reload_models
from nlp_service.observability.state import StateMetrics
from nlp_service.observability.tracing import NATIVE_TELEMETRY, flush_tracing, start_tracing
from nlp_service.patience import Patience
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.text.segmentation import terms

WATCH_SECONDS = 0.5
OBSERVE_SECONDS = 2.0
SWITCH_SECONDS = 0.001
"""After so long a thread gives the interpreter to one that waits. With Python's 5 ms what waits for the event loop, a
search or an encoder between batches, does so for half of the time under load (docs/decisions/0020)."""
READING_PATHS = ("/v1/classify", "/v1/sentiment", "/v1/search", "/v1/embeddings")
"""These compute much and write nothing."""
log = structlog.get_logger()
DESCRIPTION = "读懂客户交付后写下的反馈 · understands what customers write after delivery"


def create_app(
    settings: Settings | None = None, engine: Engine | None = None, loaded: LiveEngine | None = None
) -> FastAPI:
    """The application; models are loaded and indexes built when it starts, not here.

    An `engine` that is given is used instead of loading one, and stays open when the application stops. What was
    `loaded` beforehand is closed with it.
    """
    use_few_arenas()
    configured = settings or Settings()
    configure_logs(configured)
    start_tracing()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Door]]:
        sys.setswitchinterval(SWITCH_SECONDS)
        collect_seldom()
        live = loaded if loaded is not None else await run_in_threadpool(_start, configured, engine)
        tasks: list[asyncio.Task[None]] = []
        try:
            await run_in_threadpool(_open, app, configured, live)
            app.state.health_limiter = CapacityLimiter(2)  # health checks do not queue behind other requests
            tasks.append(asyncio.create_task(_observe(app.state.observed)))
            tasks.append(asyncio.create_task(collect_when_few(lambda: live.lent)))
            if engine is None and configured.watch_models:
                tasks.append(asyncio.create_task(_follow(live)))
            with told_in(asyncio.get_running_loop()):
                yield {DOOR: _door(app)}
        finally:
            for task in tasks:
                task.cancel()
            if engine is None:
                await run_in_threadpool(live.close)
            await run_in_threadpool(_close, app)
            await run_in_threadpool(flush_tracing)

    app = FastAPI(
        title="nlp-service",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=NATIVE_TELEMETRY,
    )
    # Votes and frequent problems come before knowledge: /leaderboard would else be read as the number of an article.
    knowing = (search, votes, frequent, workflow, knowledge, feedback, subjects)
    for module in (sentiment, classify, *knowing, embeddings, models, health, docs):
        app.include_router(module.router)
    problems.install(app)
    contract.install(app)
    _surround(app, configured)
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """What every request passes, from the inside out: a body is read only once the request is admitted."""
    app.add_middleware(LendEngine)
    app.add_middleware(CancelWhenGone, paths=READING_PATHS)
    app.add_middleware(BodyLimits, max_bytes=settings.max_body_bytes, uploads=[knowledge.IMPORT_PATH])
    app.add_middleware(Access)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestContext)
    app.add_middleware(PlainStart)


def _door(app: FastAPI) -> Door:
    """What the computing endpoints would refuse: as they find out themselves, later."""
    live: LiveEngine = app.state.live

    def encoding(*tasks: Task) -> Callable[[int], None]:
        def check(texts: int) -> None:
            with live.lease() as engine:
                engine.check_room(texts, tasks)

        return check

    return Door(
        {
            "/v1/classify": Room(encoding("classify", "severity"), "tickets"),
            "/v1/sentiment": Room(encoding("sentiment"), "texts"),
            "/v1/search": Room(lambda _: app.state.search_queue.check_room()),
        }
    )


def _start(settings: Settings, given: Engine | None) -> LiveEngine:
    if given is not None:
        return LiveEngine(given, keep_engine, settings.bundles_dir)
    return load_models(settings)


async def _follow(live: LiveEngine) -> None:
    """Take what is promoted within a second; keep the old models when the new ones do not load.

    With too much waiting for an encoder it tries again.
    """
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if live.changed:
            try:
                await run_in_threadpool(reload_models, live)
            except ServiceError as error:
                log.error("models not reloaded", reason=str(error))


async def _observe(state: StateMetrics) -> None:
    """Keep the gauges current, also while many requests hold the usual threads."""
    limiter = CapacityLimiter(1)
    failed = False
    while True:
        await asyncio.sleep(OBSERVE_SECONDS)
        try:
            await to_thread.run_sync(state.update, limiter=limiter)
            failed = False
        except Exception as error:  # noqa: BLE001 - the database may come back; until then the gauges stay
            if not failed:
                log.warning("gauges not updated", error=type(error).__name__)
            failed = True


def _amounts(settings: Settings) -> PointAmounts:
    return PointAmounts(settings.points_approved, settings.points_review, settings.points_helpful)


def _open(app: FastAPI, settings: Settings, live: LiveEngine) -> None:
    app.state.database = database = Database(settings.resolved_database_url)
    watch_database(database.engine)
    database.migrate()
    app.state.gate = open_gate(settings, database)
    if not settings.keys_required:
        log.warning("no key needed", environment=settings.environment, address=settings.host)
    terms("预热 · warm up")
    app.state.search_queue = SearchQueue(
        settings.inference_threads, Patience(settings.max_wait_seconds, settings.max_standing_wait_seconds)
    )
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
    app.state.observed = StateMetrics(live, searches)
    app.state.observed.update()
    app.state.live = live
    log.info("ready", records=records, search=model.version, **versions)


def _close(app: FastAPI) -> None:
    """Close what was opened, also when the start failed half-way."""
    searches: Searches | None = getattr(app.state, "searches", None)
    gate: Gate | None = getattr(app.state, "gate", None)
    database: Database | None = getattr(app.state, "database", None)
    observed: StateMetrics | None = getattr(app.state, "observed", None)
    search_queue: SearchQueue | None = getattr(app.state, "search_queue", None)
    if search_queue is not None:
        search_queue.close()
    if observed is not None:
        observed.close()
    if searches is not None:
        searches.close()
    if gate is not None:
        gate.rates.close()
    if database is not None:
        database.close()
