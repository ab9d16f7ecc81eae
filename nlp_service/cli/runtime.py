"""What commands work with: the engine and the knowledge base of this folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.followed import Progress
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.database import Database


def open_database(settings: Settings) -> Database:
    """The database with its tables of now; the caller closes it."""
    database = Database(settings.resolved_database_url)
    database.migrate()
    return database


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """The loaded engine, closed afterwards; raises BundleError when bundles are missing."""
    engine = Engine.load(settings.bundles_dir, threads=settings.inference_threads, rerank_top=settings.rerank_top)
    try:
        yield engine
    finally:
        engine.close()


class Knowledge:
    """Articles and their search."""

    def __init__(self, database: Database, engine: Engine, searches: Searches) -> None:
        self.store = ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint)
        self._engine = engine
        self._searches = searches

    @cached_property
    def search(self) -> KnowledgeSearch:
        """Opened from the newest snapshot when it is first needed, or built."""
        return self._searches.load(self._engine)

    def rebuild(self, progress: Progress) -> int:
        """Build the indexes anew and save a snapshot; gives the number of records."""
        return self._searches.rebuild(self._engine, progress)


@contextmanager
def open_knowledge(settings: Settings, engine: Engine) -> Iterator[Knowledge]:
    """The knowledge base."""
    database = open_database(settings)
    try:
        yield Knowledge(database, engine, Searches(database, settings.index_dir, settings.search_statuses))
    finally:
        database.close()
