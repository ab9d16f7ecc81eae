"""What commands work with: the engine and the knowledge base of this folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.relevance import relevance_of
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.database import Database


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """The loaded engine, closed afterwards; raises BundleError when bundles are missing."""
    engine = Engine.load(settings.bundles_dir, threads=settings.inference_threads)
    try:
        yield engine
    finally:
        engine.close()


@dataclass(frozen=True)
class Knowledge:
    """Articles and their search."""

    store: ArticleStore
    search: KnowledgeSearch


@contextmanager
def open_knowledge(settings: Settings, engine: Engine) -> Iterator[Knowledge]:
    """The knowledge base; its indexes are empty until `search.rebuild`."""
    database = Database(settings.resolved_database_url)
    database.migrate()
    model = engine.search_model
    try:
        yield Knowledge(
            ArticleStore(database, engine.encode_passages, model.fingerprint),
            KnowledgeSearch(
                database,
                engine.encode_passages,
                model.fingerprint,
                model.dimension,
                settings.search_statuses,
                relevance_of(model.relevance),
            ),
        )
    finally:
        database.close()
